"""Profiles: what each MindIE version wants. A new version is an added profile and an added template folder.

Nothing here was run on hardware. What each profile rests on stands in ``checked_against``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from lingctl.engine.interface import About, WeightsForm
from lingctl.engine.versions import (
    EngineVersion,
    known_versions,
    own_or_earlier,
    read_version,
)
from lingctl.errors import ConfigurationError

_IMAGE = "swr.cn-south-1.myhuaweicloud.com/ascendhub/mindie:{}-800I-A2-py311-openeuler24.03-lts"
_SERVICE = "/usr/local/Ascend/mindie/latest/mindie-service"
_SITE = "/usr/local/lib/python3.11/site-packages"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile(About):
    """What one MindIE version wants."""

    name: str = "mindie"
    title: str = "MindIE"
    file_names: tuple[str, ...] = ("config.json", "rank_table.json")
    process_names: tuple[str, ...] = ()
    reads: frozenset[WeightsForm] = frozenset({"safetensors"})
    opens_all: bool = True
    strict_modes: bool = True
    joins_by_addresses: bool = True
    # 1.0.0 comes with CANN 8.0.0, for HDK 24.1.0 (the Ling README); msprechecker wants 24.1 for later ones.
    driver: str = "24.1"
    templates: str  # folder below ``templates/`` with its config.json.j2
    atb_llm: str  # folder of the Python package that the overlay is added to
    directory: str  # where the daemon is started
    daemon: tuple[str, ...]  # the words that start it; ``{config}`` stands for the rendered config.json
    installed_config: str  # where config.json has to be copied, or empty if it is passed by path
    # the name that this version reads the rank table's path from
    rank_table_variable: Literal["RANKTABLEFILE", "RANK_TABLE_FILE"]
    world_size: Literal["all", "node"]  # whether ``worldSize`` counts the ranks of all nodes or of one
    home: str = _SERVICE  # install folder of the server, which relative paths in config.json start from
    # "400 or 600" in the documents of 1.0.0 to 2.3; 3.0.0's code allows 0640.
    certificate_mode: int = 0o600  # highest mode of certificates that it takes; keys are always 0600
    # folders to put before LD_LIBRARY_PATH that no script of ``set_env`` puts there
    libraries: tuple[str, ...] = ()

    @property
    def generation(self) -> int:
        """1, 2 or 3: versions of one generation share their rules."""
        return self.place.line


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


# Its release notes (gitcode.com/Ascend/MindIE-LLM, docs/zh/release_notes.md): CANN 9.0.1, and not 8.5;
# config.json's backendType takes "torch" for another backend; nothing that lingctl writes changes; the engine
# is maintained and no longer extended. CANN 9.0 goes with HDK 25.0 and later (CANN's own notes).
_V3_1 = replace(
    _V3,
    version="3.1.0",
    checked_against="the release notes of MindIE LLM 3.1.0 alone; all else is taken over as in 3.0.0",
    image=_IMAGE.format("3.1.0"),
    driver="25.0",
    taken_from="3.0.0",
)
# Its logs are where 1.0.0 has them, and where later ones do (users' reports).
_T3 = replace(
    _second_generation("2.0.T3", "RANKTABLEFILE"),
    checked_against="a public deployment tool written for it, and users' reports",
    log_places=(f"{_SERVICE}/logs", "/root/mindie/log/debug"),
)

# In the order of versions.
PROFILES: tuple[Profile, ...] = (
    _V1,
    _T3,
    _second_generation("2.0.RC1", "RANKTABLEFILE"),
    _second_generation("2.1.RC2", "RANK_TABLE_FILE"),
    _second_generation("2.2.RC1", "RANK_TABLE_FILE"),
    _second_generation("2.3.0", "RANK_TABLE_FILE"),
    _V3,
    _V3_1,
)
_KNOWN = known_versions(PROFILES)


def profile_for(version: str) -> Profile:
    """The profile of a version: its own, or that of the nearest earlier version of its line.

    Raises:
        ConfigurationError: it is no version, or nothing earlier of its line is known.
    """
    asked = read_version(version)
    if asked is None:
        raise ConfigurationError(
            f"{version[:40]!r} is no version of MindIE",
            remedy=f"write it as 1.0.0, 2.0.RC2, 2.0.T3.1 or 3.0.0b2 are written; {_KNOWN}",
            code="unknown-mindie",
        )
    found = own_or_earlier(PROFILES, asked)
    if found is None:
        oldest = PROFILES[0].version
        raise ConfigurationError(
            f"MindIE {version} is older than {oldest}, the oldest that lingctl deploys, and has other files",
            remedy=f'take an image of {oldest} or later: mindie: "{oldest}", and container.image; {_KNOWN}',
            code="mindie-too-old",
        )
    if found.place == asked:
        return found
    if found.place.line != asked.line:
        raise _first_of_its_line(version, asked, found)
    return replace(found.taken_over(version), image=_IMAGE.format(version))


def _first_of_its_line(version: str, asked: EngineVersion, earlier: Profile) -> ConfigurationError:
    later = next((one for one in PROFILES if one.place.line == asked.line), None)
    why = f"the first of its line that it knows is {later.version}" if later else "it knows none of its line"
    what = f"lingctl has no rules for MindIE {version}: {why}, and {earlier.version} before it follows others"
    either = f', or those of what it became, mindie: "{later.version}"' if later else ""
    image = f"container.image may name your image of {version} all the same"
    return ConfigurationError(
        what,
        remedy=f'take the rules of the nearest earlier one, mindie: "{earlier.version}"{either}; {image}; '
        f"{_KNOWN}",
        code="unknown-mindie",
    )
