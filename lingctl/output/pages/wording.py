"""The words of pages, in the languages that they are written in; ``wording.toml`` has them side by side."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal, get_args

Language = Literal["en", "zh"]


@cache
def wording(language: Language, *parts: Literal["shared", "acceptance"]) -> Mapping[str, str]:
    """The words of these parts of the file, by their names; a later part goes before an earlier one."""
    table = tomllib.loads((files(__package__) / "wording.toml").read_text(encoding="utf-8"))
    place = get_args(Language).index(language)
    return {name: words[place] for part in parts for name, words in table[part].items()}
