"""The order of an engine's versions, and the profile that a version has. Pure.

Every form of MindIE's stands in public lists of releases: tags of images (AscendHub's page of MindIE, what
people pull, quay.io/ascend), release notes of MindIE and MindIE LLM (hiascend.com, gitcode.com/Ascend), and
tags of MindIE-LLM's repository. Versions of one number were published in this order: builds for trial (2.0.T3
in February 2025, then T6 to T18), release candidates (2.0.RC1, 2.0.RC2), the release; betas of 3.0.0
(3.0.0b2, 3.0.0.beta.1) before it. A build (B010) and a service pack (SPC1) belong to the version before them.
vLLM's forms (``lingctl.vllm.versions``) are among these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Self, TypeVar

# In the order of their time; what has none of these words is the release itself.
_PHASES = ("dev", "poc", "t", "alpha", "beta", "rc", "")
_SHORT = {"a": "alpha", "b": "beta"}
_NUMBERS = re.compile(r"v?([0-9]{1,6}(?:\.[0-9]{1,6}){1,3})(?=$|[.A-Za-z])")
_WORD = re.compile(
    r"\.?(dev|poc|t|alpha|beta|rc|a|b)\.?([0-9]{0,15}(?:\.[0-9]{1,6})*)(?=$|\.)", re.IGNORECASE
)
_PATCH = re.compile(r"\.?(spc|sp|post|hotfix|hp|patch)\.?([0-9]{1,6})(?=$|\.)", re.IGNORECASE)
_BUILD = re.compile(r"\.b([0-9]{2,6})$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class EngineVersion:
    """A version, ordered by time of publication within its numbers."""

    numbers: tuple[int, ...]  # without zeros at their end: 2.0 is 2.0.0
    phase: int  # place in ``_PHASES``
    step: tuple[int, ...]  # RC2 is 2, T3.1 is 3 and 1
    patch: int  # service pack
    build: int  # of the version before it
    text: str = field(compare=False)  # as it was written, without a v before it

    @property
    def line(self) -> int:
        """The first number: versions of one line share their rules."""
        return self.numbers[0] if self.numbers else 0

    def is_alike(self, other: EngineVersion) -> bool:
        """Whether both are one version, or builds of it."""
        return replace(self, build=0) == replace(other, build=0)


@dataclass(frozen=True, slots=True)
class VersionProfile:
    """What is known of one version of an engine, whichever that is."""

    _: KW_ONLY
    version: str  # as in hosts.yaml
    checked_against: str  # what this profile's facts rest on
    taken_from: str = ""  # the version whose rules these are, where they are not known to be its own

    @property
    def place(self) -> EngineVersion:
        """Its place in the order of versions."""
        place = read_version(self.version)
        assert place is not None
        return place

    @property
    def rules_of(self) -> str:
        """The version whose rules these are."""
        return self.taken_from or self.version

    def taken_over(self, version: str) -> Self:
        """The same for a version that nobody looked at."""
        basis = f"nothing of its own; taken over from {self.version}: {self.checked_against}"
        return replace(self, version=version, taken_from=self.version, checked_against=basis)


P = TypeVar("P", bound=VersionProfile)


def read_version(text: str) -> EngineVersion | None:
    """A version as hosts.yaml and image tags write it; None where it is none."""
    numbers = _NUMBERS.match(text)
    if numbers is None:
        return None
    rest = text[numbers.end() :]
    built = _BUILD.search(rest)
    if built:
        rest = rest[: built.start()]
    word = _WORD.match(rest)
    phase, step = "", ""
    if word:
        phase, step = word.group(1).lower(), word.group(2).strip(".")
        rest = rest[word.end() :]
    patched = _PATCH.match(rest)
    if patched:
        rest = rest[patched.end() :]
    if rest:
        return None
    return EngineVersion(
        _without_zeros(numbers.group(1)),
        _PHASES.index(_SHORT.get(phase, phase)),
        tuple(int(part) for part in step.split(".") if part),
        int(patched.group(2)) if patched else 0,
        int(built.group(1)) if built else 0,
        text.removeprefix("v"),
    )


def own_or_earlier(profiles: Sequence[P], asked: EngineVersion) -> P | None:
    """A version's own profile, or that of the nearest earlier one; None where all are of later ones.

    Args:
        profiles: in the order of versions.
    """
    return next((profile for profile in reversed(profiles) if profile.place <= asked), None)


def known_versions(profiles: Iterable[VersionProfile]) -> str:
    """Those that have a profile, for a remedy."""
    return f"known: {', '.join(profile.version for profile in profiles)}"


def _without_zeros(text: str) -> tuple[int, ...]:
    numbers = [int(part) for part in text.split(".")]
    while len(numbers) > 1 and not numbers[-1]:
        numbers.pop()
    return tuple(numbers)
