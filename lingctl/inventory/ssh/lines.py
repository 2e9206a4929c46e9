"""The lines of an ssh_config file: keyword, words, and where they stand (ssh_config(5))."""

from __future__ import annotations

import functools
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lingctl.errors import ConfigurationError
from lingctl.inventory.given_file import read_bounded

_KEYWORD = re.compile(r"([^\s=]+)(?:\s*=\s*|\s+)(.*)", re.DOTALL)
_MOST_BYTES = 16 << 20
# A word in quotes may have blanks; a backslash stands before a quote, a blank or itself.
_BLANKS = " \t\f\r\n"


class ConfigLine(NamedTuple):
    """One line that is not empty."""

    keyword: str  # in lower case
    rest: str  # all behind it, as written
    file: str  # path
    number: int  # of the line, from 1

    @property
    def place(self) -> str:
        """File and line."""
        return f"{self.file}:{self.number}"

    @property
    def words(self) -> list[str]:
        """The words behind the keyword, without quotes, up to a comment.

        Raises:
            ConfigurationError: a quote is not closed.
        """
        try:
            return list(_words(self.rest))
        except ValueError as error:
            raise self.error(str(error)) from error

    def error(self, what: str) -> ConfigurationError:
        """What is wrong with the line."""
        return ConfigurationError(
            what,
            where=self.place,
            evidence=f"{self.keyword} {self.rest}",
            remedy="correct that line, or take another file: ssh: {config: FILE} in hosts.yaml, or none: "
            "ssh: {config: none}",
            code="ssh-config",
        )


def read_lines(path: Path) -> tuple[ConfigLine, ...]:
    """The lines of a file; a file that does not exist has none, nor has a folder, as with OpenSSH.

    Raises:
        ConfigurationError: it cannot be read.
    """
    try:
        seen = path.stat()
        if stat.S_ISDIR(seen.st_mode):
            return ()
        return _read(path, seen.st_mtime_ns, seen.st_size, seen.st_ino)
    except (FileNotFoundError, NotADirectoryError):
        return ()
    except OSError as error:
        raise ConfigurationError(
            f"cannot read {path}: {error.strerror}", code="ssh-config-unreadable"
        ) from error


@functools.lru_cache(maxsize=64)
def _read(path: Path, _changed: int, _size: int, _inode: int) -> tuple[ConfigLine, ...]:
    """Once for all nodes of a run, as long as the file is the same."""
    text = read_bounded(path, _MOST_BYTES).decode("utf-8", errors="surrogateescape")
    return tuple(_parsed(text, str(path)))


def _parsed(text: str, file: str) -> Iterator[ConfigLine]:
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip(_BLANKS)
        if not line or line.startswith("#"):
            continue
        found = _KEYWORD.fullmatch(line)
        if found is None:
            raise ConfigLine(line, "", file, number).error("nothing behind the keyword")
        yield ConfigLine(found[1].lower(), found[2], file, number)


def _words(text: str) -> Iterator[str]:
    at = 0
    while True:
        while at < len(text) and text[at] in _BLANKS:
            at += 1
        if at >= len(text) or text[at] == "#":
            return
        word, quote = "", ""
        while at < len(text) and (quote or text[at] not in _BLANKS):
            letter, after = text[at], text[at + 1 : at + 2]
            if letter == "\\" and after and (after in "\"'\\" or (after == " " and not quote)):
                word += after
                at += 1
            elif quote and letter == quote:
                quote = ""
            elif not quote and letter in "\"'":
                quote = letter
            else:
                word += letter
            at += 1
        if quote:
            raise ValueError("a quote is not closed")
        yield word
