"""``lingctl models``: the catalogue."""

from __future__ import annotations

from lingctl.cli.common import EngineOption, JsonOption


def models(engine: EngineOption = "", as_json: JsonOption = False) -> None:
    """List the models that lingctl serves: size, native window, and the fewest cards that hold each."""
    from lingctl.flows.files.capacity import list_models
    from lingctl.inventory.typed_engine import engine_typed
    from lingctl.output.documents import print_json
    from lingctl.output.tables import print_table

    listed = list_models(engine_typed(engine) if engine else None)
    if as_json:
        print_json("models", {"models": [one.as_json() for one in listed]})
        return
    print_table(
        ("model", "kind", "bf16 GB", "window", "cards of 64 GiB", "of 32 GiB", "ModelScope and Hugging Face"),
        [
            (
                one.model.name,
                one.model.kind,
                f"{one.model.weights_bytes / 1e9:.1f}",
                one.model.context,
                one.cards[64] or "-",
                one.cards[32] or "-",
                one.model.repository,
            )
            for one in listed
        ],
        numbers=("bf16 GB", "window", "cards of 64 GiB", "of 32 GiB"),
        spare=("ModelScope and Hugging Face", "kind"),
    )
