"""A window beyond the model's own: YaRN, as each version of vLLM takes it.

Sources: the Ling README (factor 4 over the model's own window, by rope_scaling in config.json); vLLM 0.32.0,
run with tiny models against transformers 4.53.3: what is rendered here agrees with it in every argmax;
without rope_theta beside the other values it computes with 10000 and says nothing; without
max_position_embeddings it refuses to start from 0.30 on. 0.10 to 0.29 take the original window times the
factor (read in their wheels, not run).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lingctl.errors import ConfigurationError
from lingctl.inventory.cluster import Cluster
from lingctl.vllm.profile import VllmProfile
from lingctl.vllm.settings import native_window, vllm_settings

# What the model's makers name; nobody tried more.
MOST_FACTOR = 4
# Of every Ling model of the first generation, and of its configuration class where config.json has none.
_THETA, _THETA_OF_CLASS = 600_000.0, 10_000.0
_ROPE_KEYS = ("rope_scaling", "rope_parameters")


@dataclass(frozen=True, slots=True)
class Stretch:
    """How positions are stretched."""

    window: int  # the model's own, in tokens
    factor: int
    theta: float  # base of its rotary embedding

    @property
    def tokens(self) -> int:
        """The window that comes of it."""
        return self.window * self.factor

    @property
    def words(self) -> str:
        """In short."""
        return f"YaRN, factor {self.factor} over {self.window} tokens"


def factor_for(tokens: int, window: int) -> int:
    """The smallest whole factor with which the window is long enough; larger ones cost short prompts more."""
    return -(-tokens // window)


def stretch_of(cluster: Cluster, model_config: Mapping[str, Any] | None = None) -> Stretch | None:
    """How positions are stretched where hosts.yaml asks for more than the model's own window; else None.

    Raises:
        ConfigurationError: it asks for more than YaRN is known to give.
    """
    asked = int(vllm_settings(cluster, model_config)["max_seq_len"].value)
    window = native_window(cluster, model_config)
    factor = factor_for(asked, window)
    if factor <= 1:
        return None
    if factor > MOST_FACTOR:
        raise ConfigurationError(
            f"{asked} tokens are {asked / window:.1f} times the window of {cluster.model}, {window}; "
            f"YaRN is known to stretch it to {MOST_FACTOR} times",
            where="serving.max_seq_len in hosts.yaml",
            remedy=f"set it to at most {MOST_FACTOR * window}",
            code="vllm-window",
        )
    return Stretch(window, factor, _theta(model_config))


def stretch_words(stretch: Stretch | None, profile: VllmProfile) -> tuple[str, ...]:
    """What vLLM is told of it.

    0.30 and later go by max_position_embeddings, earlier ones by the original window times the factor: both
    are the same here.
    """
    if stretch is None:
        return ()
    rope = {"rope_type": "yarn", "rope_theta": stretch.theta, **_factor_of(stretch)}
    form: dict[str, object] = (
        {"rope_parameters": rope} if profile.rope_parameters else {"rope_scaling": {"type": "yarn", **rope}}
    )
    told = {"max_position_embeddings": stretch.tokens, **form}
    return "--hf-overrides", json.dumps(told, separators=(",", ":"))


def stretched_config(stretch: Stretch | None) -> dict[str, object]:
    """The same as keys of config.json; the base of the positions is the file's own."""
    if stretch is None:
        return {}
    rope = {"type": "yarn", **_factor_of(stretch)}
    return {"max_position_embeddings": stretch.tokens, "rope_parameters": rope}


def _factor_of(stretch: Stretch) -> dict[str, object]:
    return {"factor": float(stretch.factor), "original_max_position_embeddings": stretch.window}


def stretch_remarks(cluster: Cluster) -> Iterator[str]:
    """What it costs, for the reader of a plan."""
    stretch = stretch_of(cluster)
    if stretch is None:
        return
    model, asked = cluster.catalogue_model, vllm_settings(cluster)["max_seq_len"].value
    yield (
        f"serving.max_seq_len {asked} is beyond the window of {cluster.model}, {stretch.window} tokens: "
        f"{stretch.words}. It stretches the positions of every prompt, and short ones are answered somewhat "
        f"worse for it; up to {stretch.window} it is not needed (MindIE serves no more than that), "
        f"{MOST_FACTOR * stretch.window} is the most"
    )
    if stretch.tokens > model.extended:
        said = f"only {model.extended}" if model.extended > model.context else "no window beyond their own"
        yield f"the makers of {cluster.model} name {said} tokens: what it answers beyond is not known"


def without_stretch(config: dict[str, Any]) -> list[str]:
    """Take stretched positions out of a config.json, where hosts.yaml alone asks for them; says why.

    Users put them there as the Ling README says. vLLM then stretches short prompts too, whatever hosts.yaml
    says, and from 0.30 on neither starts with a longer window nor says that the shorter one is stretched.
    """
    reasons = list[str]()
    for key in _ROPE_KEYS:
        rope = config.get(key)
        if not isinstance(rope, Mapping) or _kind(rope) in ("", "default"):
            continue
        theta, original = rope.get("rope_theta"), rope.get("original_max_position_embeddings")
        config[key] = {"rope_type": "default", "rope_theta": theta} if key == "rope_parameters" else None
        if theta is not None:
            config.setdefault("rope_theta", theta)
        reasons.append(
            f"{key} removed ({_kind(rope)}): serving.max_seq_len beyond the model's window asks for it, for "
            "this service alone"
        )
        stated = config.get("max_position_embeddings")
        if type(original) is int and type(stated) is int and 0 < original < stated:
            config["max_position_embeddings"] = original
            reasons.append(
                f"max_position_embeddings is {original} again, the window without it (was {stated})"
            )
    return reasons


def _kind(rope: Mapping[str, Any]) -> str:
    return str(rope.get("rope_type") or rope.get("type") or "")


def _theta(model_config: Mapping[str, Any] | None) -> float:
    if model_config is None:
        return _THETA
    rope = model_config.get("rope_parameters")
    inner = rope.get("rope_theta") if isinstance(rope, Mapping) else None
    theta = model_config.get("rope_theta", inner)
    if theta is None:
        return _THETA_OF_CLASS
    if isinstance(theta, bool) or not isinstance(theta, int | float) or theta <= 0:
        raise ConfigurationError(
            "config.json lacks a usable rope_theta",
            evidence=f"rope_theta: {theta!r}",
            code="model-config-rope",
        )
    return float(theta)
