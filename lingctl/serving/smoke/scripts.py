"""Which script a text is written in, and whether it reads like a language. Pure."""

from __future__ import annotations

import unicodedata
from collections import Counter
from functools import cache

_HAN_BLOCKS = ("CJK", "KANGXI")
_EVERYDAY = (
    "a an and are as at be by can do for from have he help how i if in is it me more my name not of on or "
    "she so that the their they this to was we what which who will with you your"
)
_ENGLISH = frozenset(_EVERYDAY.split())
_CHINESE = frozenset("的是我一不在有人这中大为上个国和地到以说时要就出会可也你对生能而子那得于着下自之年过们")
# One letter of these says as much as several Latin ones.
_WEIGHTS = {"HAN": 3, "HIRAGANA": 2, "KATAKANA": 2, "HANGUL": 2}
_ENOUGH_WORDS = 12
_LONGEST_LOOP = 24
_ENOUGH_HAN = 24


@cache
def _script_of(letter: str) -> str:
    word = unicodedata.name(letter, "UNKNOWN").split()[0].split("-")[0]
    return "HAN" if word in _HAN_BLOCKS else word


def scripts(text: str) -> Counter[str]:
    """How many letters of each script, e.g. ``{"LATIN": 40, "HAN": 2}``."""
    return Counter(_script_of(letter) for letter in text if letter.isalpha())


def main_script(text: str) -> str:
    """The script that says most of a text; empty for a text without letters."""
    said = {name: count * _WEIGHTS.get(name, 1) for name, count in scripts(text).items()}
    return max(said, key=said.__getitem__) if said else ""


def foreign_share(text: str, at_home: frozenset[str]) -> float:
    """Share of letters, 0 to 1, that belong to none of the scripts ``at_home``."""
    counted = scripts(text)
    letters = sum(counted.values())
    return sum(count for name, count in counted.items() if name not in at_home) / letters if letters else 0.0


def units(text: str) -> list[str]:
    """Words of spaced scripts, single characters of Han, Kana and the like."""
    if main_script(text) in ("HAN", "HIRAGANA", "KATAKANA", "THAI"):
        return [character for character in text if not character.isspace()]
    return text.split()


def loop_length(text: str) -> int:
    """Length in units of a loop that fills most of the text; 0 where there is none.

    A loop counts when it comes round four times at least and four fifths of the text obey it.
    """
    seen = units(text)
    if len(seen) == 1 and len(text) >= 8:
        # One unbroken run, e.g. "!!!!!!!!" or "aaaaaaaa": look at its characters.
        seen = list(text)
    for length in range(1, min(_LONGEST_LOOP, len(seen) // 4) + 1):
        same = sum(a == b for a, b in zip(seen, seen[length:], strict=False))
        if same >= 0.8 * (len(seen) - length):
            return length
    return 0


def reads_as(language: str, text: str) -> bool:
    """Whether a text has the everyday words of ``en`` or ``zh``; True where that cannot be told."""
    if language == "en":
        words = [word.strip(".,;:!?\"'()*").lower() for word in text.split()]
        return len(words) < _ENOUGH_WORDS or sum(word in _ENGLISH for word in words) >= 0.1 * len(words)
    if language == "zh":
        han = [c for c in text if c.isalpha() and _script_of(c) == "HAN"]
        return len(han) < _ENOUGH_HAN or sum(c in _CHINESE for c in han) >= 0.05 * len(han)
    return True


def language_of(prompt: str) -> str:
    """``zh`` for Han letters, ``en`` where English everyday words are many, else empty."""
    if main_script(prompt) == "HAN":
        return "zh"
    words = [word.strip(".,;:!?\"'()").lower() for word in prompt.split()]
    return "en" if words and sum(word in _ENGLISH for word in words) >= 0.25 * len(words) else ""
