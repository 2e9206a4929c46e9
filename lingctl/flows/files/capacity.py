"""capacity and models: what fits where, answered without asking any node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from lingctl.engine.capacity import OVERHEAD_GIB, Capacity, Estimate, Load
from lingctl.engines import engine_chosen, engine_of, usual_engine
from lingctl.errors import UsageError
from lingctl.findings import Finding
from lingctl.inventory.cluster import Cluster
from lingctl.inventory.engine_choice import EngineChoice
from lingctl.inventory.models.catalogue import MODELS, Model
from lingctl.inventory.models.config_json import shape_of


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a capacity question may set; None leaves it to hosts.yaml or the preset."""

    devices: int | None = None
    hbm_gib: float = 64
    fraction: float | None = None
    sequence: int | None = None
    longest_input: int | None = None
    longest_output: int | None = None
    overhead_gib: float = OVERHEAD_GIB


@dataclass(frozen=True, slots=True)
class CapacityAnswer:
    """The answer to a capacity question."""

    model: Model
    load: Load
    found: Estimate
    finding: Finding
    engine: str  # whose arithmetic it is, in words


def answer_capacity(
    model: Model,
    wishes: Wishes,
    cluster: Cluster | None = None,
    model_config: Mapping[str, Any] | None = None,
    chosen: EngineChoice | None = None,
) -> CapacityAnswer:
    """Whether a model fits.

    Args:
        cluster: for what it leaves open, if the question is about one.
        model_config: the downloaded config.json, to be believed before the catalogue.
        chosen: what would serve it; default: the cluster's engine, else hosts.yaml's default.

    Raises:
        UsageError: a number that cannot be.
        ConfigurationError: the config.json is of another family.
    """
    if chosen is not None:
        engine = engine_chosen(chosen)
    else:
        engine = engine_of(cluster) if cluster else usual_engine()
    capacity, shape, window = engine.capacity, model.shape, model.context
    if model_config is not None:
        loadable, _ = engine.model_config(model_config)
        shape = shape_of(loadable)
        stated = loadable.get("max_position_embeddings")
        window = stated if isinstance(stated, int) and stated > 0 else window
    devices = wishes.devices or (cluster.world_size if cluster else model.cards)
    given = capacity.load_of(cluster) if cluster else capacity.usual_load(devices)
    load = _load(wishes, given, window, cluster.serving.max_seq_len if cluster else None)
    _refuse_nonsense(wishes, devices, load)
    found = capacity.estimate(shape, window, devices, wishes.hbm_gib, load)
    title = f"{engine.about.title} {engine.about.version}"
    return CapacityAnswer(model, load, found, capacity.judge(shape, found, load), title)


def _load(wishes: Wishes, given: Load, window: int, stated: int | None) -> Load:
    # What hosts.yaml states counts as it stands; the usual length gives way to the model's window.
    sequence = wishes.sequence or stated or min(given.sequence, window)
    return replace(
        given,
        sequence=sequence,
        longest_input=wishes.longest_input or min(given.longest_input, sequence),
        longest_output=wishes.longest_output or min(given.longest_output, sequence),
        fraction=given.fraction if wishes.fraction is None else wishes.fraction,
        overhead_gib=wishes.overhead_gib,
    )


def _refuse_nonsense(wishes: Wishes, devices: int, load: Load) -> None:
    wrong = [
        name
        for name, fine in (
            ("--devices", devices >= 1),
            ("--hbm", 1 <= wishes.hbm_gib <= 1024),
            ("--fraction", 0 < load.fraction <= 1),
            ("--reserve", 0 <= wishes.overhead_gib < wishes.hbm_gib),
        )
        if not fine
    ]
    if wrong:
        raise UsageError(
            f"{wrong[0]} is out of range",
            remedy="devices are at least 1, memory is 1 to 1024 GiB, a fraction is above 0 and at most 1",
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """A model of the catalogue with the fewest cards that hold it, by memory of a card."""

    model: Model
    cards: Mapping[int, int | None]

    def as_json(self) -> dict[str, object]:
        """Plain data."""
        return {
            "name": self.model.name,
            "repository": self.model.repository,
            "kind": self.model.kind,
            "weights_bytes": self.model.weights_bytes,
            "context": self.model.context,
            "smallest_cards": {f"{hbm} GiB": cards for hbm, cards in self.cards.items()},
        }


def list_models(chosen: EngineChoice | None = None) -> list[Listed]:
    """The catalogue, each model with what holds it under the preset's limits of an engine."""
    capacity = (usual_engine() if chosen is None else engine_chosen(chosen)).capacity
    return [Listed(model, {hbm: _fewest(capacity, model, hbm) for hbm in (64, 32)}) for model in MODELS]


def _fewest(capacity: Capacity, model: Model, hbm_gib: int) -> int | None:
    # Up to one node the share of memory of one node, beyond it that of several, as a deploy would choose.
    for cards, most in ((8, 8), (9, None)):
        preset = capacity.usual_load(cards)
        load = replace(preset, sequence=min(preset.sequence, model.context))
        found = capacity.smallest_fit(model.shape, model.context, hbm_gib, load)
        if found is not None and (most is None or found.ranks <= most):
            return found.ranks
    return None
