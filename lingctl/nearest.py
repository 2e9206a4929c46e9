"""What a mistyped word was most likely meant to be: said in one way everywhere."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], most: int = 3) -> str:
    """A question that names the words that are spelt nearly like it, the nearest first; empty where none is.

    Capitals do not count.
    """
    import difflib

    spelt = {one.lower(): one for one in known}
    near = [spelt[one] for one in difflib.get_close_matches(word.lower(), spelt, n=most)]
    return f"did you mean {' or '.join(', '.join(near).rsplit(', ', 1))}?" if near else ""
