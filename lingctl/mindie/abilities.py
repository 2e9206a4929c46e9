"""What each version of MindIE can do with the Ling models, for ``lingctl engines``."""

from __future__ import annotations

from lingctl.engine.abilities import EngineRow
from lingctl.inventory.cluster import Cluster
from lingctl.mindie.profile import PROFILES, Profile

_USUAL = str(Cluster.model_fields["mindie"].default)
# The Ling README; which CANN goes with which of the others was not read.
_CANN = {"1.0.0": "CANN 8.0.0", "3.1.0": "CANN 9.0.1"}
_DRIVERS = {
    "1.0.0": "the Ling README: CANN 8.0.0 with HDK 24.1.0",
    "3.1.0": "CANN's notes: 9.0 goes with HDK 25.0 and later",
}


def mindie_rows() -> list[EngineRow]:
    """In the order of versions."""
    return [_row(profile) for profile in PROFILES]


def _row(profile: Profile) -> EngineRow:
    taken = f"; rules of {profile.taken_from}" if profile.taken_from else ""
    return EngineRow(
        name="mindie",
        title="MindIE",
        version=profile.version,
        usual=profile.version == _USUAL,
        image=profile.image,
        built_on=_CANN.get(profile.version, ""),
        driver=profile.driver,
        driver_source=_DRIVERS.get(profile.version, "msprechecker's rule for later versions"),
        lite="1, 2, 4, 8, 16 cards, with the overlay",
        plus="2 x 8 cards, with the overlay",
        norm_head="applied by the overlay",
        context="native window alone: it has no YaRN for this model",
        weights="safetensors; .bin is converted",
        verified=f"never tried on a card{taken}",
        source=profile.checked_against,
    )
