"""Versions of driver and firmware, from the files that their packages install.

Forms: captures of servers with drivers 23.0.7 and 24.1.rc1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from lingctl.ascend.unread import Unread, closing_cat, of_file, unread
from lingctl.remote.probe import Answer

DRIVER = closing_cat("/usr/local/Ascend/driver/version.info")
FIRMWARE = closing_cat("/usr/local/Ascend/firmware/version.info")


@dataclass(frozen=True, slots=True)
class Version:
    """A package's version."""

    version: str  # of the package
    # (lowest, highest) firmware that a driver works with; None where it does not say
    firmware: tuple[str, str] | None = None


@of_file
def read_version(seen: Answer) -> Version | Unread:
    """A ``version.info`` of ``key=value`` lines, as driver, firmware and CANN packages have it."""
    lines = [line.strip() for line in seen.stdout.splitlines() if line.strip()]
    pairs = [re.fullmatch(r"([A-Za-z_]+)=(.*)", line) for line in lines]
    values = {found.group(1).lower(): found.group(2) for found in pairs if found}
    if (
        not all(pairs)
        or len(values) != len(lines)
        or not re.fullmatch(r"(?=.*[0-9])[A-Za-z0-9_.+-]{1,80}", values.get("version", ""))
    ):
        return unread(seen)
    fits = re.fullmatch(r"\[([0-9.]{1,40}),([0-9.]{1,40})\]", values.get("compatible_version_fw", ""))
    return Version(values["version"], (fits.group(1), fits.group(2)) if fits else None)


def fits_firmware(driver: Version, firmware: Version) -> bool | None:
    """Whether the driver says that it works with the firmware; None where it does not say."""
    if driver.firmware is None:
        return None
    low, high = (_numbers(text) for text in driver.firmware)
    return low <= _numbers(firmware.version) and _numbers(firmware.version)[: len(high)] <= high


def is_older(version: str, least: str) -> bool:
    """Whether a release is of an earlier line, as 23.0.7 is than 24.1; candidates (24.1.rc2) count as it."""
    line = _numbers(least)
    return bool(_numbers(version)) and _numbers(version)[: len(line)] < line


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]{1,80}", text))
