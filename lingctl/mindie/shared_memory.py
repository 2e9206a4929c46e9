"""How much of /dev/shm MindIE takes in its container.

The engine's segments do not grow with the cards: two of 256 MiB, four of 32, two of 8 and one of 1 KiB for
each data-parallel group, of which Ling has one. Each tokenizer process takes the longest request. All pages
are touched, so this is real memory. Seen on 3.0.0 with one card; that it holds for eight is read in
its source (include/utils/shared_memory.h, executor/communicator.cpp, tokenizer/infer_tokenizer.cpp).
What 1.0.0 and 2.x take is not known: their documents ask for 1 GB at least.
"""

from __future__ import annotations

from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import Profile

# Of config.json as it is rendered; the longest request is 3.0.0's default of maxRequestLength.
TOKENIZER_PROCESSES = 8
_LONGEST_REQUEST_MIB = 40
_ENGINE_MIB = 657
_DOCUMENTED_MIB = 1024
# What the cards' libraries take besides is not known, so twice the documented least.
_DEFAULT = "2g"
_UNITS = {"": 1 / (1 << 20), "k": 1 / 1024, "m": 1, "g": 1024}


def needed_mib(profile: Profile) -> int:
    """MiB of shared memory that a daemon of this version takes, at least."""
    if profile.generation < 3:
        return _DOCUMENTED_MIB
    return _ENGINE_MIB + TOKENIZER_PROCESSES * _LONGEST_REQUEST_MIB


def shared_memory_size(cluster: Cluster, profile: Profile) -> str:
    """The container's ``--shm-size``: what hosts.yaml asks for, or enough.

    Raises:
        ConfigurationError: hosts.yaml asks for less than MindIE takes.
    """
    asked = cluster.container.shm_size
    if asked is None:
        return _DEFAULT
    needed = needed_mib(profile)
    if _mib(asked) >= needed:
        return asked
    reason = (
        f"{_ENGINE_MIB} for its engine and {TOKENIZER_PROCESSES} x {_LONGEST_REQUEST_MIB} for its tokenizers"
        if profile.generation >= 3
        else "its documents ask for 1 GB"
    )
    raise ConfigurationError(
        f"{asked} of shared memory is too little: MindIE {profile.version} needs {needed} MiB ({reason})",
        where="container.shm_size in hosts.yaml",
        remedy=f"leave shm_size out (then it is {_DEFAULT}), or write {needed}m or more",
        code="shm-too-small",
    )


def _mib(size: str) -> float:
    """A size as docker and podman write it."""
    unit = size[-1].lower() if size[-1].isalpha() else ""
    return int(size.rstrip("kmgKMG")) * _UNITS[unit]
