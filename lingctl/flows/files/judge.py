"""render --check: what each MindIE version thinks of an existing file, which is one of MindIE's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lingctl.engine.interface import Engine
from lingctl.engines import engine_chosen
from lingctl.errors import ConfigurationError
from lingctl.findings import Finding, Subject, Verdict, finding_of
from lingctl.flows.files.json_files import read_document
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.mindie.files.generation_config import OWN_KEYS, check_generation_config
from lingctl.mindie.files.model_config import loadable_model_config
from lingctl.mindie.profile import PROFILES, Profile, profile_for
from lingctl.mindie.rules.check import check_config
from lingctl.mindie.rules.rank_table import check_rank_table

# Files that people take for one of ours, by keys that no other has: what they are, and what to do.
_OTHER_KINDS: tuple[tuple[frozenset[str], tuple[str, str]], ...] = (
    (
        frozenset({"OtherParam", "WorkFlowParam", "ModelDeployParam"}),
        (
            "is a config.json of a MindIE before 1.0.0 (1.0.RC1 or RC2): the versions that lingctl deploys "
            "do not read that form",
            "write one of today's form: lingctl render config",
        ),
    ),
    (
        frozenset({"BackendConfig", "ModelDeployConfig", "ScheduleConfig"}),
        ("is a part of MindIE's config.json", "give the whole file, with ServerConfig and BackendConfig"),
    ),
    (
        frozenset({"group_list", "group_count", "para_plane_nic_name"}),
        (
            "is a rank table of HCCL's older form (group_list), which MindIE does not read",
            "write one of the form with server_list: lingctl render ranktable",
        ),
    ),
    (
        frozenset({"rank_list", "rank_count", "level_list"}),
        (
            "is a rank table of version 2.0 (Atlas 950), which lingctl does not know",
            "for Atlas 800I A2: lingctl render ranktable",
        ),
    ),
    (
        frozenset({"weight_map"}),
        ("is the index of a checkpoint's weights", "check the weights: lingctl verify-weights"),
    ),
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one version of an engine thinks of a file."""

    judge: str  # in words
    version: str  # of the engine
    rules_of: str  # the version whose rules these are
    checked_against: str  # what they rest on
    findings: tuple[Finding, ...]

    @property
    def accepted(self) -> bool:
        """Whether it would start from the file."""
        return all(one.verdict < Verdict.UNKNOWN for one in self.findings)

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "judge": self.judge,
            "version": self.version,
            "rules_of": self.rules_of,
            "checked_against": self.checked_against,
            "accepted": self.accepted,
            "findings": [finding.as_json() for finding in self.findings],
        }


def check_file(
    path: Path, chosen: EngineChoice | None = None, cluster: Cluster | None = None
) -> tuple[str, list[Judgement]]:
    """Judge an existing file: what kind it is, and what each version of MindIE thinks of it, or the engine
    that was chosen.

    Raises:
        ConfigurationError: it cannot be read, is none of the kinds that can be judged, or none that the
            engine reads.
    """
    document = read_document(path)
    if chosen is not None and not (engine := engine_chosen(chosen)).about.file_names:
        return _by_another(path, document, engine)
    profiles = (profile_for(chosen.version or ""),) if chosen else PROFILES
    if "server_list" in document or "server_count" in document:
        return "rank table", [
            _of_mindie(profile, check_rank_table(document, profile)) for profile in profiles
        ]
    if {"ServerConfig", "BackendConfig"} & document.keys():
        return "MindIE config", [
            _of_mindie(profile, check_config(document, profile, cluster)) for profile in profiles
        ]
    if {"architectures", "model_type"} & document.keys():
        # It is read by the overlay, which is the same for every version.
        found = tuple(_check_model(lambda: loadable_model_config(document)[1], "MindIE with the overlay"))
        return "model config", [_of_mindie(profile, found, "The overlay") for profile in profiles[:1]]
    if OWN_KEYS & document.keys():
        found = tuple(check_generation_config(document))
        return "generation config", [_of_mindie(profile, found) for profile in profiles[:1]]
    other = next((what for keys, what in _OTHER_KINDS if keys & document.keys()), None)
    if other:
        raise ConfigurationError(other[0], where=str(path), remedy=other[1], code="file-of-another-kind")
    raise ConfigurationError(
        "neither MindIE's config.json, nor a rank table, nor a model's config.json",
        where=str(path),
        evidence=f"its keys: {', '.join(sorted(map(str, document))[:8]) or 'none'}",
        code="file-kind",
    )


def _of_mindie(profile: Profile, findings: Iterable[Finding], judge: str = "") -> Judgement:
    taken = f" (by the rules of {profile.taken_from})" if profile.taken_from else ""
    judge = judge or f"MindIE {profile.version}{taken}"
    return Judgement(judge, profile.version, profile.rules_of, profile.checked_against, tuple(findings))


def _by_another(path: Path, document: dict[str, Any], engine: Engine) -> tuple[str, list[Judgement]]:
    """What an engine thinks that reads the model's own files alone."""
    about = engine.about
    title = f"{about.title} {about.version}"
    if {"architectures", "model_type"} & document.keys():
        found = tuple(_check_model(lambda: engine.model_config(document)[1], title))
        return "model config", [Judgement(title, about.version, about.version, about.checked_against, found)]
    raise ConfigurationError(
        f"{about.title} reads no such file: it is told everything on its command line",
        where=str(path),
        evidence=f"its keys: {', '.join(sorted(map(str, document))[:8]) or 'none'}",
        code="file-of-another-engine",
    )


def _check_model(reasons_of: Callable[[], list[str]], engine: str) -> Iterator[Finding]:
    try:
        reasons = reasons_of()
    except ConfigurationError as error:
        yield finding_of(error, Verdict.FAILURE)
        return
    of = Subject("model-config")
    for reason in reasons:
        yield of.note(reason, remedy="deploy does it; or: lingctl render model-config")
    if not reasons:
        yield of.passes(f"{engine} loads it as it is")
