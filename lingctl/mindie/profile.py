"""Profiles: what each MindIE version wants. A new version is an added profile and an added template folder.

Nothing here was run on hardware. What each profile rests on stands in ``checked_against``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, replace
from typing import Literal

from lingctl.errors import ConfigurationError

_IMAGE = "swr.cn-south-1.myhuaweicloud.com/ascendhub/mindie:{}-800I-A2-py311-openeuler24.03-lts"
_SERVICE = "/usr/local/Ascend/mindie/latest/mindie-service"
_SITE = "/usr/local/lib/python3.11/site-packages"


@dataclass(frozen=True, slots=True)
class Profile:
    """What one MindIE version wants."""

    version: str  # as in hosts.yaml
    templates: str  # folder below ``templates/`` with its config.json.j2
    checked_against: str  # what this profile's facts rest on
    image: str  # container image
    atb_llm: str  # folder of the Python package that the overlay is added to
    set_env: tuple[str, ...]  # vendor scripts to source, in order
    directory: str  # where the daemon is started
    daemon: tuple[str, ...]  # the words that start it; ``{config}`` stands for the rendered config.json
    installed_config: str  # where config.json has to be copied, or empty if it is passed by path
    # the name that this version reads the rank table's path from
    rank_table_variable: Literal["RANKTABLEFILE", "RANK_TABLE_FILE"]
    world_size: Literal["all", "node"]  # whether ``worldSize`` counts the ranks of all nodes or of one
    log_places: tuple[str, ...]  # where it writes logs, in the container
    home: str = _SERVICE  # install folder of the server, which relative paths in config.json start from
    # "400 or 600" in the documents of 1.0.0 to 2.3; 3.0.0's code allows 0640.
    certificate_mode: int = 0o600  # highest mode of certificates that it takes; keys are always 0600
    # 1.0.0 comes with CANN 8.0.0, for HDK 24.1.0 (the Ling README); msprechecker wants 24.1 for later ones.
    driver: str = "24.1"  # the oldest line of drivers (HDK) that it works with
    # folders to put before LD_LIBRARY_PATH that no script of ``set_env`` puts there
    libraries: tuple[str, ...] = ()

    @property
    def generation(self) -> int:
        """1, 2 or 3: versions of one generation share their rules."""
        return int(self.version.split(".")[0])


_V1 = Profile(
    version="1.0.0",
    templates="mindie-1.0.0",
    checked_against="the Ling repository's own files for 1.0.0, vendor documents, users' transcripts",
    image=_IMAGE.format("1.0.0"),
    atb_llm="/usr/local/Ascend/atb-models/atb_llm",
    set_env=(
        "/usr/local/Ascend/ascend-toolkit/set_env.sh",
        "/usr/local/Ascend/nnal/atb/set_env.sh",
        "/usr/local/Ascend/atb-models/set_env.sh",
        "/usr/local/Ascend/mindie/set_env.sh",
    ),
    directory=_SERVICE,
    daemon=("./bin/mindieservice_daemon",),
    installed_config=f"{_SERVICE}/conf/config.json",
    rank_table_variable="RANKTABLEFILE",
    world_size="all",
    log_places=(f"{_SERVICE}/logs", "/usr/local/Ascend/mindie/latest/mindie-llm/logs"),
)
_V3 = Profile(
    version="3.0.0",
    templates="mindie-3.0.0",
    checked_against="the public source of MindIE-LLM v3.0.0",
    image=_IMAGE.format("3.0.0"),
    atb_llm=f"{_SITE}/atb_llm",
    set_env=(
        "/usr/local/Ascend/ascend-toolkit/set_env.sh",
        "/usr/local/Ascend/nnal/atb/set_env.sh",
        f"{_SITE}/mindie_llm/set_env.sh",
    ),
    directory="/root",
    daemon=("mindie_llm_server", "--config-file", "{config}"),
    installed_config="",
    rank_table_variable="RANK_TABLE_FILE",
    world_size="node",
    log_places=("/root/mindie/log/debug",),
    home=f"{_SITE}/mindie_llm",
    certificate_mode=0o640,
    # MindIE-LLM v3.0.0 docs/zh/user_guide/user_manual/prefill_decode_mixed_deployment.md.
    libraries=(f"{_SITE}/atb_llm/lib",),
)


def _second_generation(version: str, variable: Literal["RANKTABLEFILE", "RANK_TABLE_FILE"]) -> Profile:
    return replace(
        _V1,
        version=version,
        templates="mindie-2.x",
        checked_against="vendor documents and other tools' templates; no source of this version was read",
        image=_IMAGE.format(version),
        rank_table_variable=variable,
        world_size="node",
        log_places=("/root/mindie/log/debug",),
    )


PROFILES: tuple[Profile, ...] = (
    _V1,
    _second_generation("2.0.RC1", "RANKTABLEFILE"),
    _second_generation("2.1.RC2", "RANK_TABLE_FILE"),
    _second_generation("2.2.RC1", "RANK_TABLE_FILE"),
    _second_generation("2.3.0", "RANK_TABLE_FILE"),
    _V3,
)


def profile_for(version: str) -> Profile:
    """The profile of a version. Raises ConfigurationError: there is none; names those there are."""
    by_version = {profile.version.lower(): profile for profile in PROFILES}
    if version.lower() in by_version:
        return by_version[version.lower()]
    known = ", ".join(profile.version for profile in PROFILES)
    near = difflib.get_close_matches(version.lower(), by_version, n=1)
    hint = f"did you mean {by_version[near[0]].version}? " if near else ""
    raise ConfigurationError(
        f"there is no profile for MindIE {version!r}", remedy=f"{hint}known: {known}", code="unknown-mindie"
    )
