"""The first stage of a start: configuration and rank table, each with its documented refusals."""

from __future__ import annotations

import json
import re
from pathlib import Path

from lingctl.sandbox.engine.console import Console
from lingctl.sandbox.engine.json_library import JsonError, number
from lingctl.sandbox.engine.settings.file_rules import coded, model_path_fault
from lingctl.sandbox.engine.settings.rank_table import check_values, read_rank_table
from lingctl.sandbox.engine.settings.sections import Fault, Refused
from lingctl.sandbox.engine.settings.server_config import RawConfig, read_config, refused
from lingctl.sandbox.engine.settings.value_rules import values_fit
from lingctl.sandbox.engine.start.started import Started
from lingctl.sandbox.engine.words.start_lines import configuration_lines


def configure(version: str, config: Path, home: Path, console: Console) -> Started:
    """Read and check the configuration and, for several nodes, the rank table.

    Args:
        version: 1.0.0 or 3.0.0.
        config: path of config.json.
        home: folder that TLS paths start from.
        console: where it is told.

    Raises:
        Refused: what was to be said has been said.
    """
    new = version != "1.0.0"
    if new:
        console.out(f"ConfigManager: Load Config from {config}.")
    raw = read_config(config, version, console)
    if new:
        _describe_model(raw, version, console)
    table = read_rank_table(version, console) if raw.multi_node else None
    if new:
        done = "Configuration interactions completed successfully"
        console.out(f"[ConfigManager::ExecuteConfigInteractions] {done}")
        console.out("[ConfigManager::InitConfigManager] Successfully init config manager")
    if table is None:
        devices, count = raw.backend["npuDeviceIds"][0], raw.model["worldSize"]
    else:
        devices = [device.device_id for device in table.local.devices] if table.local else []
        count = len(devices) if table.local else len(table.servers[0].devices or "?")
    fit = values_fit(raw, version, console, home, devices=devices, world=count)
    if (table is not None and not check_values(table, console)) or not fit:
        if new:
            console.out("ConfigManager init exception: [ConfigManager] Checking Config Failed")
        raise Refused("values")
    if table is None:
        ids = raw.backend["npuDeviceIds"][0]
        return Started(raw, None, tuple(range(len(ids))), len(ids))
    assert table.local is not None
    return Started(raw, table, tuple(sorted(d.rank for d in table.local.devices)), len(table.ranks))


def _describe_model(raw: RawConfig, version: str, console: Console) -> None:
    """The model's config.json, looked at when its section is read; refused only with the values."""
    folder = Path(raw.model["modelWeightPath"])
    fault = model_path_fault(folder / "config.json", folder=False)
    vocabulary = 0
    try:
        if fault:
            console.model("ERROR", coded(fault), "model_deploy_config.cpp:60")
        else:
            vocabulary = _number(folder / "config.json", "vocab_size", 0)
        top_k = _number(folder / "generation_config.json", "top_k", 1000)
    except JsonError as error:
        # The words are the library's; that the section's name stands before them is inference.
        thrown = Fault("ModelDeployConfig", f"ModelDeployConfig: {error}")
        raise refused(thrown, version, console) from error
    configuration_lines(raw, vocabulary, top_k, console)


def _number(path: Path, name: str, default: int) -> int:
    """A whole number of a JSON object, or the default where there is none.

    Raises:
        JsonError: it is a text that begins with a number: its range passes, and then it is taken for one.
    """
    try:
        value = json.loads(path.read_bytes()).get(name, default)
    except (OSError, ValueError, AttributeError):
        return default
    if isinstance(value, str) and re.match(r"\s*[-+]?[0-9]", value):
        return number(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else default
