"""Profiles: what each version of vllm-ascend is made of and can do with the Ling models. Data only.

Sources: vllm-project/vllm-ascend, docs/source/community/versioning_policy.md, Dockerfiles and release notes
at the tags named; bailing_moe.py of the vLLM wheels 0.10.2 to 0.32.0. No version was run on a card here;
0.32.0 was run on processors.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lingctl.engine.interface import About, WeightsForm
from lingctl.engine.versions import EngineVersion, known_versions, own_or_earlier
from lingctl.errors import ConfigurationError
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.vllm.versions import read_vllm_version

_IMAGE = "quay.io/ascend/vllm-ascend:v{}{}"
_DOCUMENTS = (
    "the documents and Dockerfile of vllm-ascend v{}, and bailing_moe.py of vLLM; never tried on a card"
)
# The image's own variables say the same; a login shell and derived images may not.
SET_ENV = ("/usr/local/Ascend/ascend-toolkit/set_env.sh", "/usr/local/Ascend/nnal/atb/set_env.sh")
DEFAULT_VERSION = "0.23.0"


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmProfile(About):
    """What one version, of vllm-ascend, is made of and does."""

    name: str = "vllm"
    title: str = "vLLM"
    image: str = ""  # for what hosts.yaml names: ``vllm`` gives it
    set_env: tuple[str, ...] = SET_ENV
    log_places: tuple[str, ...] = ()  # it writes no log files of its own
    file_names: tuple[str, ...] = ()
    process_names: tuple[str, ...] = ("VLLM::",)
    reads: frozenset[WeightsForm] = frozenset({"safetensors", "bin"})
    opens_all: bool = False
    strict_modes: bool = False
    joins_by_addresses: bool = False
    driver: str = ""  # empty where no source says one
    python: str  # versions of Python that it takes
    cann: str  # in its image; empty where it has none
    torch: str  # torch and torch_npu
    source: str  # where this row is said
    ascend: bool = True  # whether vllm-ascend has a release of it
    driver_source: str = ""  # where it is said
    norm_head: bool = False  # whether it computes with a normalised head where config.json says so
    kv_replication: bool = True  # whether there may be more ranks than KV heads
    nodes: bool = True  # whether it can start one node's share of several (--nnodes)
    # whether it reads how positions are stretched from rope_parameters (0.12 and later), or from rope_scaling
    rope_parameters: bool = True

    def image_for(self, choice: EngineChoice) -> str:
        """The vendor's image for the machines and the system that hosts.yaml names."""
        if not self.ascend:
            return f"lingctl/vllm-cpu:{self.version}"
        machine = "-a3" if choice.hardware == "a3" else ""
        return _IMAGE.format(self.version, machine + ("-openeuler" if choice.system == "openeuler" else ""))


# CANN's own tables of the drivers (Ascend HDK) that each version works with. No table of 8.3 was found; a
# user ran it with 25.0.rc1 (vllm-ascend 4621).
_COMPATIBLE = "CANN 9.1.0 release notes (gitcode.com/cann/release-management), table of HDK compatibility"
_DRIVERS: dict[str, tuple[str, str]] = {
    "8.5.0": ("25.0", "CANN 8.5.0 release notes (hiascend.com, canncommercial/850), version mapping"),
    "8.5.1": ("25.0", f"{_COMPATIBLE}: 8.5.2 is said, and 8.5.0 in its own notes"),
    "9.0.1": ("25.0", _COMPATIBLE),
    "9.1.0": ("25.2", _COMPATIBLE),
}


def _row(version: str, python: str, cann: str, torch: str, tag: str = "0.23.0") -> VllmProfile:
    driver, driver_source = _DRIVERS.get(cann, ("", ""))
    return VllmProfile(
        python=python,
        cann=cann,
        torch=torch,
        version=version,
        source=f"vllm-ascend v{tag}, docs/source/community/versioning_policy.md",
        checked_against=_DOCUMENTS.format(version),
        driver=driver,
        driver_source=driver_source,
    )


# In the order of versions.
VLLM_PROFILES: tuple[VllmProfile, ...] = (
    replace(
        _row("0.11.0", "3.9-3.11", "8.3.RC2", "2.7.1, torch_npu 2.7.1.post1"),
        kv_replication=False,
        nodes=False,
        rope_parameters=False,
    ),
    _row("0.13.0", "3.10-3.11", "8.5.0", "2.8.0, torch_npu 2.8.0.post2"),
    _row("0.18.0", "3.10-3.11", "8.5.1", "2.9.0, torch_npu 2.9.0.post1"),
    _row("0.23.0", "3.10-3.12", "9.1.0", "2.10.0, torch_npu 2.10.0.post4"),
    _row("0.24.0rc1", "3.10-3.12", "9.0.1", "2.10.0, torch_npu 2.10.0.post2"),
    _row("0.25.1rc1", "3.10-3.12", "9.0.1", "2.10.0, torch_npu 2.10.0.post2"),
    VllmProfile(
        python="3.11-3.14",
        cann="",
        torch="2.13.0 (processors)",
        version="0.32.0",
        source="vllm-cpu 0.32.0, a third-party build; vllm-ascend has no release of it",
        checked_against="run with tiny Ling models on processors: one node, two with TP 2; PP and DP fail",
        ascend=False,
        set_env=(),
        norm_head=True,
    ),
)
_KNOWN, _OLDEST = known_versions(VLLM_PROFILES), VLLM_PROFILES[0]
# vLLM before 0.10 has no BailingMoeForCausalLM; vllm-ascend 0.7.3 served Ling with a patch of Ling's makers.
_FIRST_WITH_LING = "0.10.0"


def vllm_profile_for(version: str) -> VllmProfile:
    """The profile of a version: its own, or that of the nearest earlier version.

    Raises:
        ConfigurationError: it is no version, or too old to serve the Ling models or to be known.
    """
    asked = read_vllm_version(version)
    if asked is None:
        raise ConfigurationError(
            f"{version[:40]!r} is no version of vLLM",
            remedy=f"write it as 0.23.0 or 0.25.1rc1 are written; {_KNOWN}",
            code="unknown-vllm",
        )
    found = own_or_earlier(VLLM_PROFILES, asked)
    if found is None:
        raise _too_old(version, asked)
    if found.place == asked:
        return found
    # What vLLM's own source dates is not taken over.
    return replace(
        found.taken_over(version),
        ascend=True,
        set_env=SET_ENV,
        python="",
        cann="",
        torch="",
        driver="",
        driver_source="",
        norm_head=asked.numbers >= (0, 26),
        kv_replication=asked.numbers >= (0, 12),
        nodes=asked.numbers >= (0, 12),
        rope_parameters=asked.numbers >= (0, 12),
    )


def _too_old(version: str, asked: EngineVersion) -> ConfigurationError:
    first = read_vllm_version(_FIRST_WITH_LING)
    assert first is not None
    why = (
        "its vLLM has no BailingMoeForCausalLM, the architecture of the Ling models"
        if asked < first
        else "lingctl has no rules for it: it takes settings that later ones do not know"
    )
    return ConfigurationError(
        f"vllm-ascend {version} is too old: {why}",
        remedy=f'take {_OLDEST.version} or later: engine: {{name: vllm, version: "{DEFAULT_VERSION}"}}; '
        f"{_KNOWN}",
        code="vllm-too-old",
    )
