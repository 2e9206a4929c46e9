"""A program run with the settings of the software in its container: the scripts that set its environment."""

from __future__ import annotations

from collections.abc import Sequence

# Libraries of cards are found by these; they are bash scripts. What is not there is not sourced.
_SOURCE = """
while [ "$1" != -- ]; do
  if [ -f "$1" ]; then . "$1" >/dev/null 2>&1; fi
  shift
done
shift
exec "$@"
"""


def with_settings(scripts: Sequence[str]) -> tuple[str, ...]:
    """Words before a program's that source these scripts first."""
    return ("bash", "-c", _SOURCE, "lingctl", *scripts, "--")
