"""Rules of config.json that concern more than the type and range of one field, as a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from lingctl.findings import Verdict
from lingctl.mindie.rules import cross as breaks
from lingctl.mindie.rules import layerwise, parallel, tls
from lingctl.mindie.rules.cross import Parts
from lingctl.mindie.rules.fields import ALL

_CODE = "MindIE-LLM v3.0.0 src/config_manager/"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule over several fields.

    Attributes:
        check: name of the finding.
        says: the rule, for people.
        source: where it is known from.
        broken: yields what breaks it in a document, as (field, value) texts.
        remedy: what to change.
        verdict: failure if MindIE refuses to start, warning if it starts and misbehaves.
        generations: which MindIE it is about.
    """

    check: str
    says: str
    source: str
    broken: Callable[[Parts], Iterator[str]]
    remedy: str
    verdict: Verdict = Verdict.FAILURE
    generations: tuple[int, ...] = ALL


RULES: tuple[Rule, ...] = (
    Rule(
        "config-addresses",
        "ipAddress and managementIpAddress are IP addresses; all-zero only with allowAllZeroIpListening",
        f"{_CODE}server_config.cpp",
        breaks.addresses,
        "use the node's own IP address",
    ),
    Rule(
        "config-ipv4",
        "1.0.0 listens on IPv4 only",
        "vendor documents of 1.0.0",
        breaks.ipv4_only,
        "give the node an IPv4 service_address",
        generations=(1,),
    ),
    Rule(
        "config-ports",
        "port differs from multiNodesInferPort (1120 where left out)",
        f"{_CODE}config_manager_impl.cpp",
        breaks.ports,
        "change one of them",
    ),
    Rule(
        "config-device-lists",
        "npuDeviceIds is a list of lists of card numbers",
        f"{_CODE}param_checker.cpp",
        breaks.id_shape,
        "write it as [[0, 1, 2, 3]]",
    ),
    Rule(
        "config-instances",
        "npuDeviceIds has one list per model instance",
        f"{_CODE}backend_config.cpp",
        breaks.instances,
        "make modelInstanceNumber the number of lists",
    ),
    Rule(
        "config-world-size",
        "worldSize is the number of this node's cards, also with several nodes",
        f"{_CODE}backend_config.cpp",
        breaks.world_size,
        "set worldSize to the number of cards of one node",
        generations=(2, 3),
    ),
    Rule(
        "config-world-size",
        "worldSize is the number of cards",
        "the Ling repository's files for 1.0.0; vendor documents",
        breaks.world_size_1,
        "set worldSize to the number of cards",
        generations=(1,),
    ),
    Rule(
        "config-world-size-all",
        "with several nodes worldSize counts the cards of all, as in the Ling files",
        "the Ling repository's files for 1.0.0; the documents say that it is ignored then",
        breaks.world_size_all,
        "set worldSize to the number of ranks",
        Verdict.WARNING,
        (1,),
    ),
    Rule(
        "config-unique-devices",
        "npuDeviceIds names no card twice (one node; with several the rank table's cards count)",
        f"{_CODE}backend_config.cpp",
        breaks.unique_ids,
        "name each card once",
    ),
    Rule(
        "config-backend-name",
        "backendName is lower-case words joined by _, at most 50 characters",
        f"{_CODE}param_checker.cpp",
        breaks.backend_name,
        "use mindieservice_llm_engine",
    ),
    Rule(
        "config-model-name",
        "modelName has 1 to 256 of A-Z a-z 0-9 _ . - and begins and ends with a letter or digit",
        f"{_CODE}model_deploy_config.cpp",
        breaks.model_name,
        "use bailing_moe",
    ),
    Rule(
        "config-weight-path",
        "modelWeightPath has only A-Z a-z 0-9 _ . / - and at most 32 levels",
        "MindIE-LLM v3.0.0 src/utils/safe_path.cpp",
        breaks.weight_path,
        "move the weights to a plainer path",
    ),
    Rule(
        "config-one-model",
        "one entry in ModelConfig for templateType Standard",
        f"{_CODE}model_deploy_config.cpp",
        breaks.one_model,
        "keep one entry; one server process per model",
    ),
    Rule(
        "config-npu-memory",
        "npuMemSize is -1 or at least 1",
        f"{_CODE}model_deploy_config.cpp",
        breaks.npu_memory,
        "use -1",
    ),
    Rule(
        "config-prefill-tokens",
        "maxPrefillTokens is at least maxInputTokenLen, unless templateType is Mix",
        f"{_CODE}config_manager_impl.cpp",
        breaks.prefill_tokens,
        "raise maxPrefillTokens",
    ),
    Rule(
        "config-prefill-batch",
        "maxPrefillBatchSize is at most maxBatchSize",
        f"{_CODE}schedule_config.cpp",
        breaks.at_most_batch("maxPrefillBatchSize"),
        "lower maxPrefillBatchSize",
    ),
    Rule(
        "config-preempt-count",
        "maxPreemptCount is at most maxBatchSize",
        f"{_CODE}schedule_config.cpp",
        breaks.at_most_batch("maxPreemptCount"),
        "lower maxPreemptCount",
    ),
    Rule(
        "config-max-n",
        "maxN is at most maxBatchSize",
        f"{_CODE}schedule_config.cpp",
        breaks.at_most_batch("maxN"),
        "lower maxN",
        generations=(3,),
    ),
    Rule(
        "config-swap-memory",
        "cpuMemSize is above 0 where maxPreemptCount is",
        f"{_CODE}config_manager_impl.cpp",
        breaks.swap_memory,
        "set cpuMemSize to 5, or maxPreemptCount to 0",
    ),
    Rule(
        "config-partial-prefills",
        "maxNumPartialPrefills is 1 to 64 (64), maxLongPartialPrefills 1 to that (8), threshold 1 to 8192, "
        "prefillChunkSize a number",
        f"{_CODE}schedule_config.cpp",
        breaks.partial_prefills,
        "set both, or leave all out",
        generations=(3,),
    ),
    Rule(
        "config-cache-pool",
        "kvPoolConfig.backend is '', unifiedcache, mooncake or memcache; configPath at most 500 characters",
        f"{_CODE}param_checker.cpp",
        breaks.cache_backend,
        "leave both empty",
        generations=(3,),
    ),
    Rule(
        "config-health-threshold",
        "HealthCheckConfig.npuUsageThreshold is 0 to 100",
        f"{_CODE}server_config.cpp",
        breaks.threshold,
        "use 0",
        generations=(3,),
    ),
    Rule(
        "config-inter-comm-port",
        "interCommPort is 1024 to 65535",
        f"{_CODE}server_config.cpp",
        breaks.inter_comm_port,
        "use 1121",
        generations=(3,),
    ),
    Rule(
        "config-stage-policy",
        "stageSelectPolicy is 0 to 2, unless supportSelectBatch overrides it",
        f"{_CODE}schedule_config.cpp",
        breaks.stage_policy,
        "leave it out",
        generations=(3,),
    ),
    Rule(
        "config-lora",
        "every LoRA module has name, path and baseModelName, which is the modelName",
        f"{_CODE}model_deploy_config.cpp",
        breaks.lora,
        "correct or remove LoraModules",
        generations=(3,),
    ),
    Rule(
        "config-parallel-size",
        "dp, sp and cp are at least 1",
        f"{_CODE}model_deploy_config.cpp",
        parallel.sizes,
        "leave them out: the overlay serves tensor parallelism only",
        generations=(3,),
    ),
    Rule(
        "config-plugin-params",
        "in plugin_params plugin_type is a text, and num_speculative_tokens of mtp a number",
        f"{_CODE}model_deploy_config.cpp",
        parallel.plugin_params,
        "leave plugin_params out: Ling is served without plug-ins",
        generations=(3,),
    ),
    Rule(
        "config-rank-table-wanted",
        "distributedEnable, and a slave of an edge-cloud split of several nodes, want a rank table",
        f"{_CODE}config_manager_impl.cpp",
        layerwise.rank_table,
        "set distributedEnable to false: one node has no rank table",
        generations=(3,),
    ),
    Rule(
        "config-layerwise-types",
        "inside layerwiseDisaggregated switches are true or false, the control port 1024 to 65535",
        f"{_CODE}backend_config.cpp, schedule_config.cpp",
        layerwise.switches,
        "remove layerwiseDisaggregated: Ling is not served that way",
        generations=(3,),
    ),
    Rule(
        "config-layerwise-lists",
        "with layerwiseDisaggregated its addresses are texts and its ports whole numbers",
        f"{_CODE}server_config.cpp",
        layerwise.lists,
        "set layerwiseDisaggregated to false: Ling is not served that way",
        generations=(3,),
    ),
    Rule(
        "config-layerwise",
        "layerwiseDisaggregated excludes several nodes, distDPServerEnabled, select batch, Mix and more",
        f"{_CODE}config_manager_impl.cpp",
        layerwise.excluded,
        "set layerwiseDisaggregated to false",
        generations=(3,),
    ),
    Rule(
        "config-layerwise-role",
        "layerwiseDisaggregatedRoleType is master or slave where layerwiseDisaggregated is on",
        f"{_CODE}server_config.cpp",
        layerwise.role,
        "set layerwiseDisaggregated to false: Ling is not served that way",
        Verdict.WARNING,
        (3,),
    ),
    Rule(
        "config-inter-node-tls",
        "interNodeTLSEnabled needs certificate, key, 1 to 3 CA files and a CRL path, which may be empty",
        f"{_CODE}backend_config.cpp",
        tls.inter_node_tls,
        "name the files, or set interNodeTLSEnabled to false on every node",
        generations=(3,),
    ),
    Rule(
        "config-inter-node-revocation",
        "interNodeTlsCrlPath is empty or a file: a folder is refused",
        f"{_CODE}backend_config.cpp",
        tls.inter_node_revocation,
        'set interNodeTlsCrlPath to ""',
        generations=(3,),
    ),
    Rule(
        "config-inter-comm-tls",
        "with interCommTLSEnabled, also left out, its paths are texts and its lists hold file names",
        f"{_CODE}server_config.cpp",
        tls.inter_comm_tls,
        "set interCommTLSEnabled to false: only inferMode dmi uses it",
        generations=(3,),
    ),
    Rule(
        "config-https",
        "httpsEnabled needs certificate, key and 1 to 3 CA files",
        f"{_CODE}server_config.cpp",
        tls.https,
        "name the files, or set httpsEnabled to false",
    ),
    Rule(
        "config-https-management",
        "the management listener needs its own files with httpsEnabled, unless all listeners are one",
        f"{_CODE}server_config.cpp",
        tls.https_management,
        "name the files, or set httpsEnabled to false",
    ),
    Rule(
        "config-https-metrics",
        "the metrics listener needs its own files with httpsEnabled, unless all listeners are one",
        f"{_CODE}server_config.cpp",
        tls.https_metrics,
        "name the files, or set httpsEnabled to false",
        generations=(3,),
    ),
    Rule(
        "config-tls-folder",
        "a CA folder ends with /, because its file names are joined to it as they are",
        f"{_CODE}server_config.cpp",
        tls.folder_without_slash,
        "end the folder with /",
        Verdict.WARNING,
    ),
    Rule(
        "config-truncation",
        "truncation is true, false, -1, 0 or 1, else the default is used",
        f"{_CODE}param_checker.cpp",
        breaks.truncation,
        "use 0",
        Verdict.WARNING,
        (3,),
    ),
    Rule(
        "config-truncation",
        "truncation is true or false",
        "vendor documents of 1.0.0 to 2.3",
        breaks.truncation_bool,
        "use false",
        Verdict.WARNING,
        (1, 2),
    ),
    Rule(
        "config-sequence",
        "maxSeqLen is at least maxInputTokenLen, else longer inputs are refused one by one",
        "msprechecker; the server does not check it",
        breaks.sequence,
        "raise maxSeqLen",
        Verdict.WARNING,
    ),
    Rule(
        "config-iterations",
        "maxIterTimes is at most maxSeqLen",
        "msprechecker; the server does not check it",
        breaks.iterations,
        "lower maxIterTimes",
        Verdict.WARNING,
    ),
    Rule(
        "config-tensor-parallel",
        "with several nodes tp is the number of all cards",
        "MindIE-LLM v3.0.0 src/executor/executor.cpp; seen: the first node ends, the others hang",
        parallel.missing_tensor_parallel,
        "set tp in ModelConfig to the number of cards of all nodes",
        generations=(3,),
    ),
    Rule(
        "config-tensor-parallel",
        "whether several nodes need tp is not known before 3.0.0, which does",
        "published files: the vendor's of 2.0.T3 have none, most later ones have dp and tp",
        parallel.missing_tensor_parallel,
        "set tp in ModelConfig to the number of cards of all nodes, as published files of 2.x have it",
        Verdict.UNKNOWN,
        (2,),
    ),
    Rule(
        "config-parallel",
        "dp x tp x cp is the number of cards of all nodes, and tp within a node or all of them",
        "MindIE-LLM v3.0.0 atb_llm utils/mapping.py; seen: the workers end while they load",
        parallel.product,
        "leave out dp and cp; tp is the number of cards of all nodes, or is left out on one node",
        generations=(3,),
    ),
    Rule(
        "config-parallel",
        "dp x tp x cp is the number of cards of all nodes",
        "msprechecker; the documents' examples; the server's code was not read",
        parallel.product_with_pipelines,
        "leave out dp, cp and pp; tp is the number of cards of all nodes",
        Verdict.WARNING,
        (2,),
    ),
)
