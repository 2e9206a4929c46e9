"""How the weights get in place on one node: downloaded, converted, readable, loadable. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from lingctl.engines import engine_of
from lingctl.errors import ConfigurationError, WeightsError
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.models.config_json import model_config_text
from lingctl.plan import Download, Run, Stage, Step
from lingctl.release.planning import difference
from lingctl.release.state import NodeState
from lingctl.release.weights_state import WeightsState, WeightsUnknown
from lingctl.remote.command import Command, command
from lingctl.remote.upload import WriteFile

# The node program with arguments, as a command for that node.
Program = Callable[..., Command]
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class WeightsPlan:
    """What happens to the weights of one node."""

    folder: str  # where the engine will read them, on the node
    steps: tuple[Step, ...]  # what has to be done
    settled: bool = False  # false while a download or conversion still decides what follows
    # the config.json as the engine will read it, once settled
    model_config: dict[str, object] = field(default_factory=dict)


def weights_plan(cluster: Cluster, state: NodeState, program: Program) -> WeightsPlan:
    """Decide for one node.

    Raises:
        WeightsError: what is there is not known (code ``weights-unknown``), or a config.json is missing.
        ConfigurationError: the model is one that the engine cannot serve.
    """
    engine = engine_of(cluster)
    converted = _known(state.node, cluster.converted_weights, state.converted)
    if converted.form == "safetensors" and converted.complete:
        if engine.folds_head(converted.config or {}):
            return _folded(cluster, state, cluster.converted_weights, converted, program)
        return _settled(cluster, state.node, cluster.converted_weights, converted, program, "converted")
    downloaded = _known(state.node, cluster.downloaded_weights, state.downloaded)
    folds = engine.folds_head(downloaded.config or {})
    if folds and downloaded.form == "safetensors" and downloaded.complete:
        return _folded(cluster, state, cluster.downloaded_weights, downloaded, program)
    if downloaded.form in engine.about.reads and downloaded.complete and not folds:
        read = " as .bin, which it reads" if downloaded.form == "bin" else ""
        how = f"downloaded{read}"
        return _settled(cluster, state.node, cluster.downloaded_weights, downloaded, program, how)
    if downloaded.form == "bin" and downloaded.complete:
        # Before hours of conversion.
        _refuse_contradictions(state.node, f"{cluster.downloaded_weights}/config.json", downloaded)
        return _conversion(cluster, state.node, program)
    return _download(cluster, state.node, downloaded)


def _known(node: str, folder: str, weights: WeightsState | WeightsUnknown) -> WeightsState:
    if isinstance(weights, WeightsUnknown):
        raise WeightsError(
            "it is not known what is in the weights' folder, so nothing is downloaded over it",
            where=f"{node}: {folder}",
            evidence=weights.why,
            remedy=f"see on the node whether a mount hangs or a disk fails: timeout 20 ls -l {folder}; "
            f"timeout 20 df {folder}; then the same command again",
            code="weights-unknown",
        )
    return weights


def _folded(
    cluster: Cluster, state: NodeState, source: str, original: WeightsState, program: Program
) -> WeightsPlan:
    """The copy whose head is folded, or what makes it; the original stays as it is."""
    target, node = cluster.folded_weights, state.node
    folded = _known(node, target, state.folded)
    if folded.form == "safetensors" and folded.complete and (folded.config or {}).get("norm_head") is False:
        return _settled(cluster, node, target, folded, program, "with the head folded")
    _refuse_contradictions(node, f"{source}/config.json", original)
    why = f"this version ignores norm_head; written to {target}: one file anew, links to the others"
    fold = Run(program("fold", source, target).titled("fold"), _DAY, cluster.layout.jobs)
    step = Step(Stage.WEIGHTS, node, "fold norm_head into lm_head", "change", why, (fold,))
    return WeightsPlan(target, (step,))


def _settled(
    cluster: Cluster, node: str, folder: str, weights: WeightsState, program: Program, how: str
) -> WeightsPlan:
    _refuse_in_the_way(cluster, node, folder, weights)
    model_config, config_step = _config_step(cluster, node, folder, weights)
    steps = [Step(Stage.WEIGHTS, node, "weights", "in place", f"{how}: {folder}")]
    about = engine_of(cluster).about
    if about.strict_modes and weights.modes_wrong:
        names = ", ".join(weights.modes_wrong[:3])
        more = f" and {len(weights.modes_wrong) - 3} more" if len(weights.modes_wrong) > 3 else ""
        why = f"{about.title} refuses {names}{more}"
        modes = Run(program("weights", "modes", folder), 600)
        steps.append(Step(Stage.WEIGHTS, node, "set modes and owners", "change", why, (modes,)))
    return WeightsPlan(folder, (*steps, config_step), True, model_config)


def _config_step(
    cluster: Cluster, node: str, folder: str, weights: WeightsState
) -> tuple[dict[str, object], Step]:
    path = f"{folder}/config.json"
    if weights.config is None:
        raise WeightsError(
            "there is no readable config.json beside the weights",
            where=f"{node}: {path}",
            code="model-config-missing",
        )
    engine, defaults = engine_of(cluster), f"{folder}/generation_config.json"
    with _at(f"{node}: {defaults}"):
        engine.need_defaults(weights.generation_config or {})
    with _at(f"{node}: {path}"):
        wanted, reasons = engine.model_config(
            weights.config, rows=weights.qkv_rows, columns=weights.dense_columns
        )
    _refuse_contradictions(node, path, weights)
    step = partial(Step, Stage.MODEL_CONFIG, node, "make the model's config.json loadable")
    if not reasons:
        return wanted, step("in place", "loads as it is")
    write = WriteFile(path, model_config_text(wanted).encode())
    keep = command("cp", "-p", path, f"{path}.bak", title="keep the original as config.json.bak")
    actions = (write,) if weights.has_backup else (Run(keep), write)
    shown = difference(write, weights.config_text.encode())
    return wanted, step("change", "; ".join(reasons), actions, shown)


@contextmanager
def _at(where: str) -> Iterator[None]:
    """Says where it is, of what an engine refuses."""
    try:
        yield
    except ConfigurationError as error:
        raise error.but(where=where) from error


def _refuse_contradictions(node: str, path: str, weights: WeightsState) -> None:
    if weights.contradictions:
        raise ConfigurationError(
            "config.json and the weights contradict each other",
            where=f"{node}: {path}",
            evidence="\n".join(weights.contradictions),
            code="model-config-contradicts-weights",
        )


def _refuse_in_the_way(cluster: Cluster, node: str, folder: str, weights: WeightsState) -> None:
    about = engine_of(cluster).about
    if about.opens_all and weights.in_the_way:
        raise WeightsError(
            f"{about.title} would end at files beside the weights: it opens every *.safetensors",
            where=f"{node}: {folder}",
            evidence="\n".join(weights.in_the_way),
            code="weights-in-the-way",
        )


def _conversion(cluster: Cluster, node: str, program: Program) -> WeightsPlan:
    source, target = cluster.downloaded_weights, cluster.converted_weights
    why = f"the engine wants safetensors; written to {target}"
    convert = Run(program("convert", source, target).titled("convert"), _DAY, cluster.layout.jobs)
    step = Step(Stage.WEIGHTS, node, "convert .bin to safetensors", "change", why, (convert,))
    return WeightsPlan(target, (step,))


def _download(cluster: Cluster, node: str, found: WeightsState) -> WeightsPlan:
    folder, repository = cluster.downloaded_weights, cluster.catalogue_model.repository
    why = found.problem or f"no weights in {folder}"
    fill = Download(repository, folder)
    step = Step(Stage.WEIGHTS, node, f"download {repository}", "change", why, (fill,))
    return WeightsPlan(folder, (step,))
