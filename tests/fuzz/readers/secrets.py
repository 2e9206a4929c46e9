"""Taking secrets out: whatever stands around one, nothing of it is left; what is none stays."""

from __future__ import annotations

import random
from pathlib import Path

from lingctl.release.evidence.redaction import REMOVED, redacted
from tests.fuzz.reader import Reader, Wrong
from tests.fuzz.readers.samples import files
from tests.unit.release.test_redaction import PLACES, TOKENS

_FILLER = (
    *(
        "",
        "x",
        " ",
        "\n",
        ":",
        "=",
        "token",
        "max_tokens=5",
        "http://h/",
        '"',
        "'",
        "{",
        "中文",
        "\x00",
        "\x1b[31m",
    ),
    *(
        "a" * 400,
        "-" * 90,
        "password",
        "--password",
        "-u a",
        "login ",
        "://",
        "@",
        ".ey",
        "sk-",
        "\ud800",
        "=" * 50,
    ),
    *(
        "[INFO] request took 5 ms\n",
        "authorization",
        "Cookie",
        "\\",
        '\\"',
        "key",
        "_",
        "secret",
        "curl -H ",
        ";",
    ),
)
_BEFORE = (" ", "\n", "=", "'", '"', "[", "(", ": ", "/", "\\n", "\\u4e2d", "%3D", "\x1b[1m")
_ENDS = (" ", "\n", "\t", '"', "'", ")", "]", "}", ",", "", " and more\n")


def _made(chance: random.Random) -> bytes:
    """Text, and in the middle a secret, behind \\x1e and before \\x1f, which the reading takes out first."""

    def around() -> str:
        return "".join(chance.choice(_FILLER) for _ in range(chance.randrange(6)))

    if chance.random() < 0.5:
        planted = chance.choice(list(TOKENS.values()))
        text = f"{around()}{chance.choice(_BEFORE)}\x1e{planted}\x1f{chance.choice(_ENDS)}"
    else:
        secret = "".join(
            chance.choices("abcdefghkmnpqrstuvwxyzABCDEFGHKMN23456789", k=chance.randrange(8, 40))
        )
        line = chance.choice(PLACES).format(f"\x1e{secret}\x1f")
        text = f"{around()}\n{line}\n"
    return f"{text}\n{around()}".encode("utf-8", "surrogatepass")


def _read(data: bytes, _folder: Path) -> object:
    text = data.decode("utf-8", "replace")
    begin, end = text.find("\x1e"), text.find("\x1f")
    secret = text[begin + 1 : end] if 0 <= begin < end else ""
    plain = text.replace("\x1e", "").replace("\x1f", "")
    left = redacted(plain)
    # What stands right before it may have been changed into a part of it.
    whole = plain[:begin].endswith(_BEFORE) and not plain[end - 1 : end].isalnum()
    # A copy that a change of the input has made stands where no token does.
    if secret in _FORMS and whole and plain.count(secret) == 1 and secret in left:
        raise Wrong(f"left in clear: {left[max(0, left.find(secret) - 60) :][:200]!a}")
    if redacted(left) != left:
        raise Wrong("twice is not as once")
    if len(left) > len(plain) + len(REMOVED) * (1 + plain.count("=") + plain.count(":") + len(plain) // 4):
        raise Wrong("it grows")
    return left


_FORMS = frozenset(TOKENS.values())


def _places(data: bytes, folder: Path) -> object:
    """As above, for a secret that only its place tells of; the input is a seed, so that places stay whole."""
    chance = random.Random(data)
    text = _made(chance).decode("utf-8", "replace")
    begin, end = text.find("\x1e"), text.find("\x1f")
    secret, plain = text[begin + 1 : end], text.replace("\x1e", "").replace("\x1f", "")
    left = redacted(plain)
    if secret in left:
        at = plain.find(secret)
        raise Wrong(f"left in clear: {plain[max(0, at - 80) : at + len(secret) + 40]!a}")
    return left


def _seeds() -> list[bytes]:
    whole = [place.format("hunter2Secret").encode() for place in PLACES]
    return [*(_made(random.Random(number)) for number in range(40)), *whole, *files("samples/hccl-log-*.txt")]


READERS = (
    Reader(
        "redaction", _seeds, _read, tuple(word.encode("utf-8", "surrogatepass") for word in _FILLER), _made
    ),
    Reader(
        "planted",
        lambda: [b"1", b"2"],
        _places,
        made=lambda chance: chance.randbytes(8),
        changed=lambda _data, chance: chance.randbytes(8),
        grows=False,
    ),
)
