"""Every signature of the catalogue, on lines as they were really printed where such lines are public."""

from __future__ import annotations

from pathlib import Path

import pytest

from lingctl.engine.vendor_codes import vendor_codes
from lingctl.mindie.logs.log_reader import MINDIE_LOGS

CATALOGUE = MINDIE_LOGS.catalogue
match = CATALOGUE.match
diagnose = MINDIE_LOGS.diagnose
exit_meaning = MINDIE_LOGS.exit_meaning
explain = MINDIE_LOGS.explain
explain_waiting = MINDIE_LOGS.explain_waiting
first_errors = MINDIE_LOGS.first_errors

SAMPLES = Path(__file__).parents[4] / "shared" / "samples"

LINES = [
    ("A1", "Check path: config.json failed, by: Check Other group permission failed"),
    ("A2", "owner id diff: current process user id is 0, file owner id is 1000"),
    ("A3", "The path /x/config.json is a link."),
    ("A4", "/x/config.json is not a regular file or not exists"),
    ("A5", "/x/config.json: it's not in baseDir directory"),
    ("A6", "Json file is invalid. Please check json format!"),
    ("A7", "tokenTimeout: missing compulsory field"),
    ("A8", "The type of param port should be int"),
    ("A9", "maxSeqLen 0 is out of bound [1, 4294967295]"),
    ("A10", "The size of npuDeviceIds (subset) does not equal to worldSize"),
    ("A11", "[MIE05E040000] [llm_backend] The size of npuDeviceIds does not equal to modelInstanceNumber"),
    ("A12", "npuDeviceID does not allow repetitive element"),
    ("A13", "There should be one modelParam for Standard templateType."),
    ("A14", "The value of maxPrefillTokens should not be less than maxInputTokenLen."),
    ("A15", "Endpoint port cannot be equal to multiNodesInferPort."),
    ("A16", "Input ipAddress [0.0.0.0] is invalid"),
    ("A17", "The tlsCert path is invalid by: The path realpath parsing failed."),
    ("A18", "ERR: serverConfig_.tlsCaFile size must in [1, 3]"),
    (
        "A19",
        "Ranktable file is not exist, please set a valid ranktable file path with "
        "RANK_TABLE_FILE environment.",
    ),
    ("A20", "Parameter server_count must be in range [2, 60], but got 1"),
    ("A21", "server_count is 2 which is not equal to server_list length in ranktable file"),
    ("A22", "The number of devices in every server node is not the same"),
    ("A23", "The containerIp in the server node is empty in ranktable file."),
    ("A24", "Parameter device_ip is invalid in ranktable file."),
    ("A25", "Ranktable file is invalid. Please check json format!"),
    ("A26", "ERROR: Rank id is not in the rankTableFile, the input rank is  8"),
    ("A8", "JSON error in ConfigManager: [json.exception.type_error.302] type must be boolean, but is null"),
    ("A17", "The serverConfig_.tlsCaPath path is not a dir by:"),
    ("A31", "Input ipAddress is empty"),
    ("A31", "Input managementIpAddress [10.0.0.300] is invalid"),
    ("A31", "Input ipAddress [node1] format is invalid (neither IPv4 nor IPv6)"),
    ("A31", "Input ipAddress format is invalid."),
    ("A32", "Parameter device_id is 64, which is out of allow range [0, 63]."),
    ("A32", "Invalid device_id x in ranktable file"),
    ("A32", "Parameter rankId in ranktable is 512, which is out of allow range [0, 511]."),
    ("A32", "Invalid server_count in ranktable file"),
    ("A32", "Parameter server_list is invalid in ranktable file"),
    ("A32", "The number of devices on single node must be in [1, 32], but got 0"),
    ("A32", "ValueError: device_ip is invalid."),
    ("A32", "ValueError: server_id is invalid."),
    ("A33", "The inferMode should be standard or dmi"),
    ("A33", "scheduleParam.decodePolicyType [9] is outside the expected schedule policy range: 0, 1, 2, 3"),
    ("A33", "The value of ScheduleParam.maxIterTimes can not be 0."),
    ("A33", "The maxPreemptCount cannot be set greater than maxBatchsize, please set"),
    ("A33", "The templateType must be Standard or Mix, but is standard"),
    ("A33", "The templateName must be Standard_LLM, but is LLM"),
    ("A33", "The value of modelName must meet the following rules: The string length is [1, 256]"),
    ("A33", "The value of 'npuMemSize' in ModelDeployConfig in config.json is 0 it should be within"),
    ("A33", "Backend type only supports atb, ms, torch."),
    ("A33", "The length of backendName exceeds 50."),
    ("A33", "The pattern of backendName is invalid."),
    ("A33", "Model instance type is invalid. supported values: [Standard]"),
    ("A33", "Unknow kv pool backend. And only [`unifiedcache`, `mooncake`, `memcache`, ``] is available!"),
    ("A33", "The length of kvPool Config Path exceeds 500."),
    ("A33", "ConfigManager init exception: dp cannot be smaller than 1."),
    ("A33", "ConfigManager Init exception: stoi"),
    ("A33", "ServerConfig: [json.exception.out_of_range.403] key 'ServerConfig' not found"),
    ("A33", "The value of param port for int32_t is invalid."),
    ("A34", "Failed to init tls cfg"),
    ("A34", "Backend inter tls config is invalid"),
    ("A34", "ERR: serverConfig_.tlsCrlFiles file not exit ."),
    ("A34", "ERR: serverConfig_.managementTlsCaFile file not exit ."),
    ("A35", "Path not found: /home/HwHiAiUser/Ascend/Ling_plus/config.json"),
    ("A35", "Path contains special characters: /models/Ling plus"),
    ("A35", "The path is not directory: /models/Ling_plus"),
    ("A35", "The path is not file: /models/Ling_plus/config.json"),
    ("A35", "Insufficient permissions for mode 'r' on path: /models/Ling_plus"),
    ("A35", "Exceeded max directory depth: 32"),
    ("A27", "init rank table config error."),
    ("A28", "[ConfigManager] Checking Config Failed"),
    ("A28", "ConfigManager check failed. Please check in the mindservice.log."),
    ("A29", "Failed check model config.json! take modelConfig.modelWeightPath to empty"),
    ("A30", "Unrecognized command-line argument, expect [--config-file, --expert-parallel]"),
    ("B1", "Path permission exceeds maximum allowed: 750"),
    ("B2", "The file should not be writable by others who are neither the owner nor in the group"),
    ("B3", "The current user does not have permission to access the path: /models"),
    ("B4", "The path should not be a symbolic link file"),
    (
        "B5",
        "Failed to get vocab size from tokenizer wrapper with exception: "
        "ValueError: safe_get_tokenizer_from_pretrained failed.",
    ),
    (
        "B6",
        "Failed to get vocab size from tokenizer wrapper with exception: "
        "ModuleNotFoundError: No module named 'mindie_llm'",
    ),
    ("B7", "NotImplementedError: unsupported model type: bailing_moe"),
    ("B8", "FileNotFoundError: No local weights found in /models with extension .safetensors"),
    ("B9", "AssertionError: weight model.layers.3.mlp.gate.weight does not exist"),
    ("B10", "Key lm_head.weight was found in multiple files"),
    ("B11", "safetensors_rust.SafetensorError: Error while deserializing header: HeaderTooLarge"),
    ("B12", "ValueError: self._config.num_experts must be between 1 and 256"),
    ("B14", "[MIE05E010012] eos_token_id is invalid"),
    ("B15", "terminate called after throwing an instance of 'pybind11::error_already_set'"),
    (
        "B16",
        "[libprotobuf FATAL google/protobuf/stubs/common.cc:83] This program was compiled against version",
    ),
    ("B17", "libgomp.so.1: cannot allocate memory in static TLS block"),
    ("B18", "libboost_thread.so.1.82.0: cannot open shared object file: No such file or directory"),
    ("B19", "ImportError: libatb_speed_torch.so: undefined symbol: _ZN3atb"),
    ("B20", "curl: symbol lookup error: /usr/lib64/libldap.so.2: undefined symbol: EVP_md2"),
    ("B21", "HTTPSConnectionPool(host='huggingface.co', port=443): Max retries exceeded with url: /x"),
    ("B22", "call aclnnArange failed, detail:EZ9999: Inner Error! Parse dynamic kernel config fail."),
    ("B23", "RuntimeError: mindieservice_daemon not found at /usr/local/lib/python3.11/site-packages"),
    ("C1", "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity)"),
    (
        "C2",
        "Warmup failed. This could be caused by setting both maxInputTokenLen and maxPrefillTokens. "
        "Required block number: 20. Left block number: 3.",
    ),
    ("C3", "Warmup failed due to NPU out of memory when `npuMemSize` set to 40"),
    ("C4", "RuntimeError: Trying to create tensor with negative dimension -4: [-4, 128]"),
    ("C5", "Warmup failed, because of multimodal model inference out of memory when warming up"),
    ("C6", "rtKernelLaunchWithHandleV2 failed: 207001"),
    ("C7", "EI0011: Failed to allocate [1073741824] bytes of NPU memory"),
    ("C8", "out of memory, need block 9"),
    ("C9", "[MIE04E120407] [batchscheduler] Shared memory available is not enough"),
    ("C10", "Out of memory: Killed process 3321 (mindie_llm_back) total-vm:88kB"),
    ("C11", "TBE Subprocess[task_distribute] raise error[], main process disappeared!"),
    ("D1", "Socket bind failed, bind_result is -1. Address already in use"),
    ("D2", "[MIE04E02041C] [endpoint] Failed to listen 10.0.0.1:1025"),
    ("D3", "Failed to start gRPC server on port 1120"),
    ("D4", "Failed to load TLS certificates. Shutting down."),
    ("D5", "Init process tokenizer pool failed."),
    ("A37", "[daemon] Failed to set process group. errno is 1"),
    ("A38", "ValueError: World size should be multiple of the number of nodes. Please check `world_size`"),
    ("A39", "Invalid DP number per node: 0"),
    ("A40", "ValueError: World size must equal to attention's dp_size * attention's cp_size"),
    ("A40", "ValueError: Attention's tp_size should be no greater than local world size"),
    ("A42", "ValueError: ASCEND_RT_VISIBLE_DEVICES should be in format {device_id},{device_id}"),
    ("A45", "The env variable MIES_CONTAINER_IP isn't exist."),
    ("A46", "ERROR: Failed to get MINDIE_LLM_HOME_PATH."),
    ("A33", "layerwiseDisaggregated not incompatible with dp 2"),
    ("A34", "interNodeTlsCaFiles size is invalid"),
    ("A30", "Missing value for key: --config-file"),
    ("A12", "Failed to find local IP 192.0.2.12 in slave IPs."),
    (
        "B2",
        "PermissionError: The file /m/d777 should not be writable by others who are neither the owner nor",
    ),
    ("B6", "ModuleNotFoundError: No module named 'atb_llm'"),
    ("B26", "[MIE04E13030A] [llm_python_model] LLMPythonModel initializes fail"),
    ("B27", "ImportError: libatb.so: cannot open shared object file: No such file or directory"),
    ("B29", "ValueError: loading it requires you to execute the tokenizer file in that repo"),
    ("B31", "ValueError: The file num in dir is 70000, which exceeds the limit 65536."),
    ("B33", "ValueError: Get config from pretrained failed."),
    ("B34", "ModuleNotFoundError: No module named 'PIL'"),
    ("C1", "NPU out of memory. NPUWorkspaceAllocator tried to allocate 1.89 GiB(NPU 7; 60.96 GiB total)"),
    ("C12", "terminate called after throwing an instance of 'std::bad_alloc'"),
    ("C9", "Failed to alloc shared memory size. Current size is 41943040"),
    ("D12", "[tokenizer] Cannot find available tokenizer."),
    ("D14", "Management Http ssl Initialize failed"),
    ("D2", "[endpoint] Failed to listen 10.1.2.3:1026, please check if management ip and port are legal."),
    ("D5", "Timeout, Failed to init tokenizer[0]"),
    ("E26", "SafeWriteMsgToStream: failed to write message to stream"),
    ("E28", "EI0009: [PID: 2225827] Transport init error. Reason: [Create][DestLink]Create Dest error!"),
    ("E29", "EE1002: 2024-09-03-16:50:00.041.231 Stream synchronize timeout."),
    ("E30", "[TaskExecStage][Timeout][HOST]Task run failed, base information is streamID:[1740]"),
    ("E31", "[RanktableDetect]topo exchange agent get socket timeout! timeout[120]"),
    (
        "E32",
        "[c10d] The client socket has timed out after 1800000ms while trying to connect to (192.0.2.1, 1).",
    ),
    (
        "F22",
        "EE1001: Reason: rtStreamSetMode execute failed, reason=[feature not support]",
    ),
    ("F23", "RuntimeError: ACL stream synchronize failed, error code:507015"),
    ("F24", "EL0005: [PID: 809] 2025-06-03-15:33:52.410.982 The resources are busy."),
    ("F25", "NPU function error: c10_npu::SetDevice(device_id_), error code is 507033"),
    ("F26", "Error: Failed to fork for backend process"),
    ("F28", "HBM MULTI BIT ECC"),
    ("F29", "DeviceOpen:[drv api] drvDeviceOpen failed: deviceId=0, drvRetCode=4!"),
    ("F3", "EE1001: Set device failed, invalid device, set device=2, valid device range is [0, 2)"),
    ("G6", "docker: OCI runtime create failed: error running prestart hook #0: exit status 1"),
    ("Z2", "[endpoint.cpp:45] [MIE04E02011C] [endpoint] Failed to init infer model instance"),
    ("Z3", "what():  ExecutorInstanceInit failed for rank 0"),
    ("Z4", "EE1001: [PID: 1] The argument is invalid. reason=[context pointer null]"),
    ("Z5", "ValueError: Shared memory buffer is empty or invalid."),
    ("E2", "Failed to establish connection to master after maximum retries"),
    ("E3", '{"message":"Abnormal node detected","no_contact_node":["node(10.0.0.2) is abnormal."]}'),
    ("E5", "5. The TLS switch is inconsistent, or the TLS certificate expires"),
    ("E6", "EI0002: The wait execution of the Notify register times out."),
    ("E7", "topo exchange server get socket timeout! timeout[120 s]"),
    ("E9", "EI0014: Value for ranktable config is invalid"),
    ("E11", "socket type[1], listen on ip[10.0.0.1] and specific port[16666] fail"),
    (
        "E12",
        "EJ0001: Failed to initialize the HCCP process. Reason: Maybe the last training process is running",
    ),
    ("E13", "AllGatherHcclRunner:0 HcclCommInitRootInfo fail, error:2"),
    ("E14", "hcclCommInitRootInfoConfig(...), error code is 1"),
    ("E15", "EI9999 connected p2p timeout, timeout:600 s. local logicDevid:0,remote physic id:7"),
    ("E16", "EI0008: The HCCL versions are inconsistent"),
    ("E19", "RuntimeError: HCCL function error: 7"),
    ("E21", "ValueError: environment variable MASTER_ADDR expected, but not set"),
    ("F1", "dcmi module initialize failed. ret is -8005"),
    ("F2", "dcmi model initialized failed, because the device is used. ret is -8020"),
    ("F3", "c10_npu::SetDevice(7), error code is 107001"),
    ("F4", "EE1001: Set visible device failed, invalid device=6, input visible devices:6"),
    ("F5", "aclrtGetDeviceCount failed, 207004"),
    ("F6", "[ERROR] tsd client wait response fail, device response code[1]. unknown device error."),
    ("F7", "Set device npu:5 for rank 5 fails"),
    ("F9", "Get ACL JitCompile default value failed"),
    ("F10", "ImportError: libascend_hal.so: cannot open shared object file: No such file or directory"),
    (
        "F11",
        "docker: Error response from daemon: error gathering device information while adding custom device "
        '"/dev/davinci7": no such file or directory',
    ),
    ("F12", "docker: invalid reference format"),
    ("F13", "RuntimeError: can't start new thread"),
    ("F14", "exec /usr/bin/sleep: exec format error"),
    ("F17", "ReshapeAndCacheOperation CheckIniMatch Failed! Supported Combs:"),
    ("F18", "aclrtSynchronizeStream failed, error 507014"),
    ("F19", "call aclnnCat failed, detail:EZ1001: tensor 1 shape is not equal"),
    ("F20", "Pull kv failed"),
    ("F21", "shm_open failed: Permission denied"),
    ("G1", "write /var/lib/docker/x: No space left on device"),
    (
        "G2",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
    ),
    ("G3", "touch: cannot touch 'x': Read-only file system"),
    ("G4", "Unable to find image 'mindie:9' locally"),
    ("G5", "permission denied while trying to connect to the Docker daemon socket"),
    ("B35", "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"),
    ("B36", "ValueError: Tokenizer class BailingTokenizer does not exist or is not currently imported."),
    ("B37", "RuntimeError: mat1 and mat2 shapes cannot be multiplied (1x4096 and 2048x16)"),
    ("B38", "OSError: Error no file named model.safetensors found in directory /models/Ling_lite."),
    (
        "B41",
        "NPU function error: at_npu::native::AclSetCompileopt(aclCompileOpt::ACL_PRECISION_MODE, mode)",
    ),
    ("Z8", "RuntimeError: Execute fail, enable log: export ASDOPS_LOG_LEVEL=ERROR"),
    ("Z8", "[rank2]:[E905 06:51:44.673826892 compiler_depend.ts:429] SelfAttentionOperation setup failed!"),
    ("B39", "libstdc++.so.6: version `GLIBCXX_3.4.30' not found (required by libtvm.so)"),
    ("B40", "AssertionError: Torch not compiled with CUDA enabled"),
    ("C1", "[MIE05E000005] torch_npu ran dry"),
    ("C6", "Call rtMalloc fail, purpose: page caching, type = 2, size:3221291008, device_id:0"),
    ("C12", "bash: fork: 无法分配内存"),
    ("D1", "bind(): 地址已在使用"),
    ("E10", "[HeartbeatAbnormal][ROCE CQE ERROR]cqe error status[12]"),
    (
        "F30",
        "[ERROR] RUNTIME(846,python): [driver.cc:65]846 GetDeviceCount:Call drvGetDevNum, drvRetCode=87.",
    ),
    (
        "F30",
        "[ERROR] ATRACE(846,python): [trace_driver_api.c:56](tid:846) get platform info failed, drvErr=87.",
    ),
    ("E43", "[Recv][RaSocket]errNo[0x0000000005000013] Wait timeout for sockets recv, data[0xff], size[4]"),
    ("E43", "[Recv][ClusterInfoMsg]receive msg length from fdhandle failed, ret[9]"),
    ("E30", "Task {devId: 1 streamId: 149 sqId: 153 cqId: 259 type: 2} run failed of exception, idx:[0]"),
    ("E39", "[Find][LocalHostIP]ip [192.0.2.9] of [HCCL_IF_IP] is not found in the nic list"),
    ("E39", "[Get][LocalServerId]get host ip fail by socket Ifname, name[eth9], ip[0.0.0.0]"),
    ("E40", "[Init][EnvVarParam]errNo[0x0000000005000001] HCCL_CONNECT_TIMEOUT[abc] is invalid"),
    ("E41", "[Init][Rdma]rdma init fail, return[128102]"),
    ("E42", "[RankConsistentImpl][CompareFrame]errNo[0x0000000005000001] ranktable crc differs"),
    ("E5", "[Connect][Qp]get qp status timeout_=120, qp_status=3"),
    ("E5", "the connection failure between this device and 3 target device(s) may be caused by"),
    ("E6", "wait task timeout, device_id=0, stream_id=3, type=7, timeout=1836s"),
    ("E9", "[Read][File]errNo[0x0000000005000001] load file[/x/r.json] to json fail. please check json file"),
    ("E10", "[Heartbeat]cqe err status[12], remote ip[192.0.2.3]"),
    ("E11", "ra socket listen start fail, return[328002]"),
    ("E22", "Some ranks tlsStatus are inconsistent"),
    ("F6", "[Open][Tsd]Open TsdClient failed, tdt error code : 31, error device logic id: 0"),
    ("C6", "DevMemAllocHugePageManaged failed: size=33554432(bytes), type=2, moduleId=3, drvRetCode=6"),
    ("A47", "[MIE05E010001] plugin_params: la and splitfuse"),
    ("B42", "[2025-12-15 15:19:22.681+08:00] [38] [452] [llm] [ERROR] [model.cpp:1] : [MIE05E000003] bad"),
    (
        "E38",
        "[llm] [ERROR] [logging.py-56] : Link from 192.0.2.1 to 192.0.2.2 failed, error code is MIE05E01001B",
    ),
    ("Z10", "[2025-12-15 15:19:22.681+08:00] [38] [452] [llm] [ERROR] [model.cpp:1] : [MIE05E000002] bad"),
    ("E33", "[Rank 1] Watchdog caught collective operation timeout: WorkHCCL(SeqNum=196) ran for 3600185 ms"),
    (
        "E37",
        "HCCL function error: hcclCommInitRootInfoConfig(numRanks, &rootInfo, &comm), error code is 11",
    ),
    (
        "Z9",
        "[rank5]:[E1212 12:10:10.14 x.ts:1675] [Rank 5] HCCL watchdog thread terminated with exception: x",
    ),
    (
        "E34",
        "Cluster Exception Location[IP/ID]:[127.10.0.1/1], ExceptionType:[Heartbeat Lost Occurred], Possible",
    ),
    ("E35", "rtStreamSynchronize execute failed, reason=[link error]"),
    ("E36", "HCCL: reason=[suspect remote error]"),
    ("F23", "rtStreamSynchronize execute failed, reason=[vector core exception]"),
    ("F23", "The extend info: errcode: The DDR address of the MTE instruction is out of range."),
    ("F18", "rtStreamSynchronizeWithTimeout execute failed, reason=[aicpu timeout]"),
    ("G7", "ls: cannot access '/models': Stale file handle"),
    ("G8", "OSError: [Errno 24] Too many open files: '/models/x'"),
    ("G9", "connect to 192.0.2.12:1120: No route to host"),
    ("G10", "socket.gaierror: [Errno -2] Name or service not known"),
    ("G11", "docker: Bind for 0.0.0.0:1025 failed: port is already allocated."),
    ("G12", 'docker: invalid mount config for type "bind"'),
    ("G13", "Get https://registry/v2/: x509: certificate signed by unknown authority"),
    ("G14", "PermissionError: [Errno 13] 权限不够: '/models'"),
    ("G15", "FileNotFoundError: [Errno 2] No such file or directory: '/models/x.json'"),
    ("Z6", "RuntimeError: Engine core initialization failed. See root cause above."),
    ("Z7", "RuntimeError: FORCE STOP."),
    ("Z1", "ERR: Daemon wait pid with 4601 exit, Please check the service log or python log."),
    ("Z2", "ERR: Failed to init endpoint! Please check the service log or console output."),
]
PRINTED_ELSEWHERE = {
    "E1": "waiting",
    "E23": "waiting",
    "E4": "sample",
    "E8": "sample",
    "E10": "sample",
    "E22": "sample",
}
REQUESTS = {
    "D8": "Got model qwen but not found in server",
    "D9": "This model's maximum input ids length cannot be greater than 2048",
    "D10": "Engine callback timeout: 600s",
    "D11": "Environment variable MIES_SERVICE_MONITOR_MODE is not set.",
}
HARMLESS = {
    "H1": "DynamicConfigHandler exception: [json.exception.out_of_range.403] key 'x' not found",
    "H2": "[executor.cpp:723] Receive wrong message type: 0. You can ignore this warning if you are shutting "
    "down engine.",
    "H4": "The type of configName speculationGamma should be integer, but is string, use default value.",
    "H3": "[server] [ERROR] [http_handler.cpp:835] [MIE04E020614] [endpoint] Service is abnormal",
    "B13": "56 % 16 != 0",
    "E18": "[W] The HCCL execution timeout 1800000ms is bigger than watchdog timeout 300000ms",
}


def test_every_known_line_is_recognised_as_itself():
    # One test: of hundreds, each would cost more than what it looks at.
    for name, line in LINES:
        found = match(line)
        assert found is not None and found.id == name, line
        explained = explain(f"noise\n{line}\nmore noise")
        assert [(one.id, one.line) for one in explained] == [(name, line)]
        assert explained[0].cause and explained[0].remedy, line


def test_no_row_of_the_catalogue_is_left_untested():
    known = {f.id for f in CATALOGUE.rows if not f.inferred}
    assert known == {n for n, _ in LINES} | set(PRINTED_ELSEWHERE) | set(HARMLESS) | set(REQUESTS)


def test_every_row_is_whole():
    for failure in CATALOGUE.rows:
        assert not (failure.signature and failure.pattern), failure.id
        assert failure.source, failure.id
        assert failure.cause, failure.id
        assert failure.kind == "harmless" or (failure.remedy and "@" not in failure.remedy), failure.id


@pytest.mark.parametrize(("sample", "name", "detail"), [
    (
        "hccl-log-socket-timeout-EI0006.txt",
        "E4",
        "from 192.168.2.199 (rank 0) to 192.168.2.198 (rank 1); this side's TLS: disable",
    ),
    ("hccl-log-ip-family-EI0001.txt", "E8", ""),
    (
        "hccl-log-tls-inconsistent-EI0016.txt",
        "E22",
        "on: [10.78.106.107/0]; off: [10.78.106.107/0]",
    ),
    ("hccl-log-error-cqe.txt", "E10", "from 127.11.0.1 to 127.11.0.2"),
])  # fmt: skip
def test_hccl_logs_tell_the_pair_of_cards(sample: str, name: str, detail: str):
    path = SAMPLES / sample
    if not path.exists():
        pytest.skip("the shared samples are not beside this checkout")
    explained = explain(path.read_text())
    assert [one.id for one in explained] == [name]
    assert explained[0].detail == detail


def test_rank_and_card_are_read_where_the_line_tells_them():
    set_device, memory, socket = explain(
        "Set device npu:5 for rank 13 fails\n"
        "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity)\n"
        "wait socket establish timeout, role[0] rank[7] timeout[120 s]\n"
    )
    assert (set_device.rank, set_device.card, set_device.place) == (13, 5, "rank 13, card 5")
    assert (memory.rank, memory.card) == (None, 3)
    assert (socket.rank, socket.card) == (7, None)


def test_causes_come_before_what_only_follows_from_them():
    log = "HCCL function error\nERR: Failed to init endpoint!\nEI0006\nNPU out of memory. Tried to allocate"
    assert [one.id for one in explain(log)] == ["C1", "E4", "E19", "Z2"]


@pytest.mark.parametrize(("name", "line"), REQUESTS.items())
def test_words_of_a_refused_request_are_known_and_are_no_cause(name: str, line: str):
    found = match(line)
    assert found is not None and (found.id, found.kind) == (name, "request")
    assert explain(line) == [] and explain(line, status="134") == []


@pytest.mark.parametrize(("name", "line"), HARMLESS.items())
def test_harmless_lines_are_passed_over(name: str, line: str):
    found = match(line)
    assert found is not None and found.id == name
    assert explain(line) == []
    assert first_errors(f"{line} ERROR\n[ERROR] what matters") == ["[ERROR] what matters"]


def test_an_ordinary_start_shows_no_failure():
    log = (
        "g_mainPid = 219897\n"
        "ConfigManager: Load Config from /usr/local/Ascend/mindie/latest/mindie-service/conf/config.json.\n"
        "The configName speculationGamma is not found, use default value.\n"
        "Update worldSize and npuDeviceIds of backend config successfully for Multi Nodes Inference.\n"
        "[ConfigManager::InitConfigManager] Successfully init config manager\n"
        "2025-02-26 15:06:59,126 [INFO] config.py:30 - model_config {'npu_device_id': '1', 'masterIP': ''}\n"
        "export MASTER_ADDR=10.0.0.1\n"
        "GRPCCommunicator: wait slave connecting...\n"
        "Daemon start success!\n"
    )
    assert explain(log) == []
    assert [one.id for one in explain_waiting(log)] == ["E1"]


def test_a_slave_s_tries_are_no_error_until_it_gives_up():
    tries = (
        "[ERROR] [pid: 9] Failed to establish bidirectional stream to master. [Errno 111] Connection refused"
    )
    assert explain(tries) == []
    assert [one.id for one in explain_waiting(tries)] == ["E23"]
    assert first_errors(f"{tries}\n[ERROR] odd") == ["[ERROR] odd"]


def test_unknown_errors_show_their_first_lines():
    log = "starting\n[ERROR] never seen before\nTraceback (most recent call last):\nKeyError: 'x'\nthe end"
    assert first_errors(log, 2) == ["[ERROR] never seen before", "KeyError: 'x'"]
    assert first_errors("a\nb\nc", 2) == ["b", "c"]


def test_exit_statuses_that_mean_something():
    assert "stop" in exit_meaning("134")
    assert "memory" in exit_meaning("137")
    assert exit_meaning("1") == ""


OUT_OF_MEMORY = "2025-01-10 08:44:40 NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60 GiB total)"
LOST_PEER = "2025-01-10 08:44:33 EI0006 wait socket establish timeout, role[0] rank[0] timeout[120 s]"


def test_a_node_with_a_cause_of_its_own_outweighs_those_that_lost_it():
    found = diagnose({"node1": LOST_PEER, "node2": OUT_OF_MEMORY}, {"node1", "node2"})
    assert found is not None and found.explanation is not None
    assert (found.node, found.explanation.id) == ("node2", "C1")
    assert found.also == ("node1: two cards did not reach each other in time",)


def test_a_node_that_was_killed_without_a_word_outweighs_those_that_lost_it():
    found = diagnose({"node1": LOST_PEER, "node2": "loading\nstill loading"}, {"node1", "node2"})
    assert found is not None
    assert (found.node, found.explanation, found.evidence) == ("node2", None, "loading\nstill loading")


def test_of_two_equal_causes_the_earlier_one_is_named():
    later = OUT_OF_MEMORY.replace("08:44:40", "08:45:00")
    found = diagnose({"node1": later, "node2": OUT_OF_MEMORY}, {"node1", "node2"})
    assert found is not None and found.node == "node2"


def test_network_trouble_is_the_cause_where_nobody_has_another():
    found = diagnose({"node1": LOST_PEER, "node2": "Daemon start success!"}, {"node1"})
    assert found is not None and found.explanation is not None
    assert (found.node, found.explanation.id) == ("node1", "E4")


def test_healthy_nodes_have_no_diagnosis():
    assert diagnose({"node1": "Daemon start success!"}, set()) is None


def test_a_vendor_s_code_that_a_row_names_has_its_vendor_s_meaning_and_the_row_s_remedy():
    told, row = MINDIE_LOGS.look_up("ei0006"), MINDIE_LOGS.catalogue.named("E4")
    assert told is not None
    assert (told.code, told.rows, told.remedy, told.kind) == ("EI0006", ("E4",), row.remedy, row.kind)
    assert told.meaning == vendor_codes()["EI0006"].meaning
