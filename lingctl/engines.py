"""Which engines there are, and which one a cluster has: the only place that knows them by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from lingctl.engine.abilities import EngineRow
from lingctl.engine.interface import Engine
from lingctl.engine.logs import LogReader
from lingctl.errors import UsageError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice, EngineName


def _mindie(choice: EngineChoice) -> Engine:
    from lingctl.mindie.engine import mindie

    return mindie(choice)


def _vllm(choice: EngineChoice) -> Engine:
    from lingctl.vllm.engine import vllm

    return vllm(choice)


def _mindie_logs() -> LogReader:
    from lingctl.mindie.logs.log_reader import MINDIE_LOGS

    return MINDIE_LOGS


def _vllm_logs() -> LogReader:
    from lingctl.vllm.logs.log_reader import VLLM_LOGS

    return VLLM_LOGS


# Each is loaded when it is asked for: a cluster has one of them.
_BY_NAME: dict[EngineName, Callable[[EngineChoice], Engine]] = {"mindie": _mindie, "vllm": _vllm}
# Whatever the version; the usual engine's first.
_READERS: dict[str, Callable[[], LogReader]] = {"mindie": _mindie_logs, "vllm": _vllm_logs}


def engine_chosen(choice: EngineChoice) -> Engine:
    """The engine that hosts.yaml names.

    Raises:
        ConfigurationError: nothing is known of it in that version.
    """
    return _BY_NAME[choice.name](choice)


def engine_at(version: str) -> Engine:
    """The engine in a version, as hosts.yaml's ``mindie`` names it; see ``engine_chosen``."""
    return engine_chosen(EngineChoice().model_copy(update={"version": version}))


def engine_of(cluster: Cluster) -> Engine:
    """The engine that serves a cluster's model; see ``engine_chosen``."""
    return engine_chosen(cluster.chosen_engine)


def engine_rows() -> list[EngineRow]:
    """What every version of every engine can do, and how that is known."""
    from lingctl.mindie.abilities import mindie_rows
    from lingctl.vllm.abilities import vllm_rows

    return [*mindie_rows(), *vllm_rows()]


def every_engine() -> tuple[Engine, ...]:
    """Each of them, in the version that is taken where hosts.yaml names none."""
    return tuple(engine_chosen(EngineChoice(name=name)) for name in _BY_NAME)


def usual_engine() -> Engine:
    """The engine of a question that is about no cluster: hosts.yaml's default."""
    return engine_at(str(Cluster.model_fields["mindie"].default))


def engine_names() -> tuple[str, ...]:
    """Their names, as hosts.yaml and codes have them; the usual engine's first."""
    return tuple(_BY_NAME)


def file_rules() -> Mapping[str, tuple[str, str]]:
    """What the findings about the engines' own files mean, and the remedy, by the name of the finding."""
    from lingctl.mindie.rules.codes import rule_codes

    return rule_codes()


def readers(name: str = "") -> tuple[LogReader, ...]:
    """What reads every engine's logs, the usual engine's first; of one engine alone where it is named.

    Raises:
        UsageError: there is no engine of that name.
    """
    if name and name not in _READERS:
        raise UsageError(f"there is no engine {name}", remedy=f"one of {', '.join(_READERS)}")
    return tuple(reader() for one, reader in _READERS.items() if name in ("", one))


def reader_of(logs: Iterable[str], name: str = "") -> LogReader:
    """What reads logs of an engine that is named, or else that their words show; the usual one's where they
    show none."""
    usual, *others = readers(name)
    texts = list(logs)
    return next((one for one in others if any(one.speaks(text) for text in texts)), usual)
