"""Rules of what 3.0.0 may be given and is given by no file of ours: pools, LoRA, parallel sizes, plug-ins."""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.mindie.json_text import NumberTooLarge, as_integer, read_json
from lingctl.mindie.rules.config.model import is_name, is_plain_path
from lingctl.mindie.rules.config.parallel import size_of
from lingctl.mindie.rules.rule import CODE, Parts, models, rule_of_3

# Of a LoRA module's path, in bytes.
_LONGEST_TEXT = 256


@rule_of_3(
    "config-cache-pool",
    "kvPoolConfig.backend is '', unifiedcache, mooncake or memcache; configPath at most 500 characters",
    source=f"{CODE}param_checker.cpp",
    remedy="leave both empty",
)
def _cache_backend(parts: Parts) -> Iterator[str]:
    pool = parts["BackendConfig"].get("kvPoolConfig")
    if not isinstance(pool, dict):
        return
    backend, path = pool.get("backend", ""), pool.get("configPath", "")
    if backend not in ("", "unifiedcache", "mooncake", "memcache"):
        yield f"kvPoolConfig.backend is {backend!r}"
    if not isinstance(path, str) or len(path.encode()) > 500:
        yield "kvPoolConfig.configPath is not a text of at most 500 characters"
    if type(pool.get("asyncWrite", False)) is not bool:
        yield f"kvPoolConfig.asyncWrite is {pool['asyncWrite']!r}"


@rule_of_3(
    "config-health-threshold",
    "HealthCheckConfig.npuUsageThreshold is 0 to 100",
    source=f"{CODE}server_config.cpp",
    remedy="use 0",
)
def _threshold(parts: Parts) -> Iterator[str]:
    health = parts["ServerConfig"].get("HealthCheckConfig")
    value = health.get("npuUsageThreshold", 0) if isinstance(health, dict) else 0
    number = as_integer(value, 32, signed=False)
    if number is None or number > 100:
        yield f"npuUsageThreshold is {value!r}"


@rule_of_3(
    "config-inter-comm-port",
    "interCommPort is 1024 to 65535",
    source=f"{CODE}server_config.cpp",
    remedy="use 1121",
)
def _inter_comm_port(parts: Parts) -> Iterator[str]:
    # Only its value is looked at, not its type.
    value = parts["ServerConfig"].get("interCommPort", 1121)
    port = as_integer(value, 32, signed=True)
    if port is None or not 1024 <= port <= 65535:
        yield f"interCommPort is {value!r}"


@rule_of_3(
    "config-stage-policy",
    "stageSelectPolicy is 0 to 2, unless supportSelectBatch overrides it",
    source=f"{CODE}schedule_config.cpp",
    remedy="leave it out",
)
def _stage_policy(parts: Parts) -> Iterator[str]:
    # Read as 16 bits.
    schedule = parts["ScheduleConfig"]
    value = schedule.get("stageSelectPolicy", 0)
    if schedule.get("supportSelectBatch") is not True and type(value) is int and value % 2**16 > 2:
        yield f"stageSelectPolicy is {value}"


@rule_of_3(
    "config-lora",
    "every LoRA module has name, path and baseModelName, which is the modelName",
    source=f"{CODE}model_deploy_config.cpp",
    remedy="correct or remove LoraModules",
)
def _lora(parts: Parts) -> Iterator[str]:
    modules = parts["ModelDeployConfig"].get("LoraModules")
    if modules is None:
        return
    names = [model.get("modelName") for _, model in models(parts)]
    # The code walks over the values of an object, and over a single value as over a list of one.
    inside = list(modules.values()) if isinstance(modules, dict) else modules
    for module in inside if isinstance(inside, list) else [inside]:
        wrong = [
            name
            for name in ("name", "path", "baseModelName")
            if not isinstance(module, dict) or not isinstance(module.get(name), str)
        ]
        if wrong:
            yield f"LoraModules: {', '.join(wrong)} missing in {module!r}"
        elif not is_name(module["name"]):
            yield f"LoraModules: name is {module['name']!r}"
        elif not is_plain_path(module["path"]) or len(module["path"]) > _LONGEST_TEXT:
            yield f"LoraModules: path is {module['path']!r}"
        elif module["baseModelName"] not in names:
            yield f"LoraModules: baseModelName is {module['baseModelName']!r}"


@rule_of_3(
    "config-parallel-size",
    "dp, sp and cp are at least 1",
    source=f"{CODE}model_deploy_config.cpp",
    remedy="leave them out, or use 1",
)
def _sizes(parts: Parts) -> Iterator[str]:
    # The code cuts numbers to 32 bits.
    for where, model in models(parts):
        for name in ("dp", "sp", "cp"):
            size = size_of(model, name)
            if size is not None and size < 1:
                yield f"{where}{name} is {model[name]!r}"


@rule_of_3(
    "config-plugin-params",
    "in plugin_params plugin_type is a text, and num_speculative_tokens of mtp a number",
    source=f"{CODE}model_deploy_config.cpp",
    remedy="leave plugin_params out, or correct it",
)
def _plugin_params(parts: Parts) -> Iterator[str]:
    # What is no JSON is passed over.
    for where, model in models(parts):
        plugin = model.get("plugin_params")
        if isinstance(plugin, str):
            try:
                # The code's reader ends at the first NUL.
                plugin = read_json(plugin.partition("\0")[0])
            except NumberTooLarge as error:
                yield f"{where}plugin_params: {error}"
                continue
            except ValueError:
                continue
        if not isinstance(plugin, dict) or "plugin_type" not in plugin:
            continue
        kind = plugin["plugin_type"]
        if not isinstance(kind, str):
            yield f"{where}plugin_params: plugin_type is {kind!r}"
        elif "mtp" in kind and "num_speculative_tokens" in plugin:
            tokens = plugin["num_speculative_tokens"]
            if as_integer(tokens, 32, signed=False) is None:
                yield f"{where}plugin_params: num_speculative_tokens is {tokens!r}"
