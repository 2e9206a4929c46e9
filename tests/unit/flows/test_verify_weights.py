"""verify-weights as a person reads it."""

from __future__ import annotations

import os
from pathlib import Path

from lingctl.events import ignore
from lingctl.flows.weights.verify import verify_weights


def test_what_is_found_says_what_to_do_also_where_the_node_knows_no_better(tmp_path: Path) -> None:
    index = tmp_path / "model.safetensors.index.json"
    index.write_text("{" + " " * 4096)
    os.truncate(index, 1 << 40)  # it takes no room
    (tmp_path / "model-00001-of-00001.safetensors").write_bytes(bytes(100))
    found = verify_weights(tmp_path, ignore, full=False, manifest=False).findings
    (limit,) = (one for one in found if one.check == "beyond-limits")
    assert "not looked into" in limit.message
    assert limit.remedy
