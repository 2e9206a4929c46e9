"""Consoles as people post them, written here after public reports: the cause that an expert would name.

Each is read as deploy reads it. Addresses are documentation values; the forms of lines are those of MindIE 1.0 to
3.x, CANN 8.0 to 9.x, torch_npu, HCCL and vLLM as users print them.
"""

# ruff: noqa: E501  (lines as they are printed)

from __future__ import annotations

import time

import pytest

from lingctl.engine.logs import Diagnosis
from lingctl.mindie.logs.log_reader import MINDIE_LOGS

diagnose = MINDIE_LOGS.diagnose

OOM = "RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60.97 GiB total capacity)"
START_10 = """\
[2025-04-06 15:49:29.887304+08:00] [419] [421] [server] [ERROR] [llm_infer_model_instance.cpp:234] : [LLMInferModelInstance::Init] llmManager_ init fail!
[2025-04-06 15:49:29.887399+08:00] [419] [421] [server] [ERROR] [llm_infer_engine.cpp:48] : [MIE05E040001] [llm_backend] LLMInferEngine initialize LLMInferModels failed. please check the error stacks for more details
[2025-04-06 15:49:29.887402+08:00] [419] [421] [server] [ERROR] [infer_backend_manager.cpp:272] : [MIE04E060108] [backend_manager] Failed to init engine: mindieservice_llm_engine
[EndPoint endpoint.cpp:50] ERR: Failed to init backendManager! Please check in the mindservice.log, pythonlog.log(default path: mindie-llm/logs) or console output.
"""
START_2X = "[2025-06-12 08:08:24.544+00:00] [12646] [12648] [server] [ERROR] [endpoint.cpp:45] : [MIE04E02011C] [endpoint] Failed to init engine! Please check in the env MINDIE_LOG_PATH\n"
START_3X = "[2026-03-12 08:08:24.544123] [12646] [12648] [server] [ERROR] [llm_daemon.cpp:318] [MIE04E01011C] [daemon] Failed to init endpoint! Please check the service log or console output.\n"
STARTS = {"1.0": START_10, "2.x": START_2X, "3.x": START_3X}

# what stands before a general start failure: text, id of the cause (None: nothing known), what the evidence holds
BEFORE = {
    "an unknown exception": (
        "2025-06-12 08:08:20,001 [INFO] loading\nTraceback (most recent call last):\n"
        '  File "/x/router.py", line 3, in f\n    g()\nKeyError: \'rope_type\'\n',
        None,
        "KeyError: 'rope_type'",
    ),
    "an unknown error line": (
        "[2025-06-12 08:08:20.001+00:00] [1] [2] [llm] [ERROR] [x.cpp:1] : flux capacitor is cold\n",
        None,
        "flux capacitor",
    ),
    "a code without brackets": ("2025-06-12 08:08:20,001 [ERROR] MIE05E01000A num_npu_blocks is -3\n", "C4", "MIE05E01000A"),
    "a code in parentheses": (
        "2025-06-12 08:08:20,001 [ERROR] [PID: 210907] Memory_Allocation_Failure(EL0004): Failed to allocate memory requested by GE module.\n"
        "        Possible Cause: Available memory is insufficient.\n        Solution: Close applications not in use.\n",
        "C6",
        "EL0004",
    ),
    "HCCL's time-out": (
        "[ERROR] HCCL(3977573,python):2025-06-12-08:07:04.447.996 [hccl_socket_manager.cc:816] [3977663][Wait][LinkEstablish]wait socket establish timeout, role[0] rank[0] timeout[120 s]\n",
        "E4",
        "wait socket",
    ),
    "torch_npu's general code": (
        "[ERROR] 2025-06-12-08:07:29 (PID:107002, Device:1, RankID:-1) ERR01100 OPS call acl api failed.\n",
        None,
        "ERR01100",
    ),
    "a general code around a cause": (
        "[ERROR] 2025-06-12-08:07:29 (PID:2805207, Device:1, RankID:-1) ERR00100 PTA call acl api failed.\n"
        "[Error]: The aicore execution is abnormal.\n"
        "EE9999: Inner Error!\nEE9999: [PID: 416] 2025-06-12-08:07:28.1.2 rtStreamSynchronize execute failed, reason=[aicore exception][FUNC:FuncErrorReason]\n",
        "F23",
        "aicore exception",
    ),
    "a missing package": (
        "[2025-06-12 08:08:20.001+00:00] [1] [2] [llm] [ERROR] [llm_python_model.cpp:31] : [llm_python_model] LLMPythonModel initializes fail\n"
        "ModuleNotFoundError: No module named 'tiktoken'\n",
        "B34",
        "tiktoken",
    ),
    "the kernel's killer": (
        "[Thu Jun 12 08:08:20 2025] Out of memory: Killed process 4321 (mindie_llm_back) total-vm:88kB\n",
        "C10",
        "Killed process",
    ),
    "a Chinese system": ("bind(): 地址已在使用\n", "D1", "地址已在使用"),
    "a driver that is too old": (
        "EH9999: Inner Error!\nEH9999: [PID: 53769] 2025-06-12-08:07:39.804.969 rtSetStreamFailureMode failed, runtime result = 207000.[FUNC:ReportCallError]\n",
        "F22",
        "207000",
    ),
}  # fmt: skip


def said(logs: str | dict[str, str], ended: set[str] | None = None, **more) -> Diagnosis:
    texts = logs if isinstance(logs, dict) else {"node1": logs}
    found = diagnose(texts, ended or set(texts), **more)
    assert found is not None
    return found


def cause(found: Diagnosis) -> str | None:
    one = found.explanation
    return None if one is None or one.confidence == "unknown" else one.id


@pytest.mark.parametrize("version", STARTS)
@pytest.mark.parametrize("before", BEFORE)
def test_a_general_start_failure_is_told_by_what_stands_before_it(version: str, before: str):
    text, name, shown = BEFORE[before]
    found = said(text + STARTS[version])
    assert cause(found) == name
    assert shown in found.evidence
    assert len(found.evidence.splitlines()) <= 3
    assert all(len(line) <= 200 for line in found.evidence.splitlines())
    if name is None:
        assert "nothing known explains it" in found.words


@pytest.mark.parametrize("code", ["EE1001: x", "EE9999: Inner Error!", "EZ9999: Inner Error!", "EI9999: Inner Error!", "E19999: Inner Error!", "EH9999: Inner Error!", "[MIE04E02011C] x", "MIE05E030001 x", "ERR00100 PTA call acl api failed.", "ERR02200 DIST call hccl api failed.", "ERR99999 UNKNOWN applicaiton exception", "error code is 500002", "error code:507000", "error code is 507899", "error code is 361001", "error code is 107002"])  # fmt: skip
def test_a_general_code_alone_is_no_cause(code: str):
    found = said(f"[ERROR] 2025-06-12-08:07:29 {code}\n")
    assert cause(found) is None
    assert code.split()[0].strip(":") in found.evidence


@pytest.mark.parametrize(
    "line",
    [
        "[2025-06-12 08:08:20.001+00:00] [1] [2] [llm] [WARN] [x.cpp:1] : config.json group permission failed",
        "[2025-06-12 08:08:20.001] [1] [2] [llm] [WARNING] [x.cpp-1] owner id diff: current process user id is 0",
        "2025-06-12 08:08:20,001 [warning] x.py:1 - Address already in use, trying another",
        "WARNING 06-12 08:08:20 [config.py:1] EI0006 was seen here before",
        "[WARNING] HCCL(1,python):2025-06-12-08:08:20.1.2 [a.cc:1] [3]EI0006 retry",
        "[W compiler_depend.ts:387] Warning: EL0004 may follow (function operator())",
        "[rank0]:[W612 08:08:20.97172 socket.cpp:487] [c10d] The client socket has timed out after 60000ms while trying to connect",
        "/usr/lib/python3.11/site-packages/x.py:3: UserWarning: No module named 'tiktoken'",
        "\x1b[33mWARN\x1b[0m 2025-06-12 08:08:20 file_utils: /m/config.json is a link.",
        "        Possible Cause: 1. The HCCP process: EJ0001. 2. Address already in use",
        "        Solution: 1. No space left on device? Free some.",
    ],
)  # fmt: skip
def test_warnings_and_hints_are_no_causes(line: str):
    assert cause(said(f"{line}\n[ERROR] odd\n")) is None
    later = (
        "2025-06-12 08:09:00,001 [ERROR] model.py:39 - Exception:NPU out of memory. Tried to allocate 1 GiB"
    )
    assert cause(said(f"{line}\n{later}\n")) == "C1"


def test_an_exception_behind_a_warning_gives_way_to_a_later_cause():
    log = (
        "2025-06-12 08:08:20,001 [WARNING] x.py:1 - xformers is not there, going on without\n"
        "Traceback (most recent call last):\n  File \"x.py\", line 1\nModuleNotFoundError: No module named 'xformers'\n"
        f"2025-06-12 08:09:20,001 [ERROR] y.py:1 - {OOM}\n"
    )  # fmt: skip
    assert cause(said(log)) == "C1"
    alone = said(log.rpartition("2025-06-12 08:09:20")[0])
    assert alone.explanation is not None
    assert (alone.explanation.id, alone.explanation.confidence) == ("B34", "likely")


@pytest.mark.parametrize("number", ["107001", "107002", "207001", "507015", "507033"])
def test_the_number_of_a_process_is_no_code(number: str):
    log = (
        f"[2025-06-12 08:08:20.001] [{number}] [{number}] [llm] [ERROR] [x.cpp:1] odd one\n"
        f"[ERROR] HCCL({number},python):2025-06-12-08:08:20.1.2 [a.cc:1] [{number}]odd two\n"
        f"[2025-06-12 08:08:20.262541] [error] [{number}] [ops_runner.cpp:1] odd three\n"
        f"[ERROR] 2025-06-12-08:07:29 (PID:{number}, Device:1, RankID:-1) odd four\n"
    )
    assert cause(said(log)) is None


# ---- time


def test_an_untimed_exception_has_the_time_of_the_line_before_it_on_its_node():
    early = (
        "2025-06-12 08:05:20,001 [INFO] generator.py:1 - warm up\nTraceback (most recent call last):\n" + OOM
    )
    late = "2025-06-12 08:06:00,001 [ERROR] x - Shared memory size is not enough for all executors."
    assert said({"node1": late, "node2": early}).node == "node2"
    assert said({"node1": early, "node2": late}).node == "node1"


def test_clocks_that_are_apart_change_which_node_failed_first():
    one = "2025-06-12 08:05:00,001 [ERROR] x - Shared memory size is not enough for all executors."
    two = f"2025-06-12 08:04:00,001 [ERROR] y - {OOM}"
    assert said({"node1": one, "node2": two}).node == "node2"
    assert said({"node1": one, "node2": two}, clocks={"node1": 0.0, "node2": -300.0}).node == "node1"


@pytest.mark.parametrize("seconds", [9e10, -9e11])
def test_a_clock_that_is_centuries_wrong_ends_nothing(seconds: float):
    one = "2025-06-12 08:05:00,001 [ERROR] x - Shared memory size is not enough for all executors."
    two = f"2025-06-12 08:04:00,001 [ERROR] y - {OOM}"
    assert said({"node1": one, "node2": two}, clocks={"node1": 0.0, "node2": seconds}).node == "node1"


def test_zones_that_differ_are_told_by_the_lines_themselves():
    one = "[2025-06-12 16:05:00.001+08:00] [1] [2] [llm] [ERROR] [x.cpp:1] Failed to listen 192.0.2.1:1025"
    two = f"[2025-06-12 08:06:00.001+00:00] [1] [2] [llm] [ERROR] [x.cpp:1] {OOM}"
    assert said({"node1": one, "node2": two}).node == "node1"


def test_what_follows_a_lost_peer_does_not_outrank_it():
    lost = "2025-06-12 08:05:00,001 [ERROR] EI0006 wait socket establish timeout, role[0] rank[0] timeout[120 s]\n"
    cleaning = "2025-06-12 08:05:09,001 [ERROR] PermissionError: [Errno 13] Permission denied: '/dev/shm/x'\n"
    assert cause(said(lost + cleaning)) == "E4"
    assert cause(said({"node1": lost, "node2": "2025-06-12 08:06:09,001 [ERROR] odd\n"})) == "E4"
    before = "2025-06-12 08:03:09,001 [ERROR] odd\n"
    assert said({"node1": lost, "node2": before}).node == "node2"


def test_two_ranks_that_print_at_once_are_told_apart_by_time():
    log = (
        "[rank1]: Traceback (most recent call last):\n[rank0]: Traceback (most recent call last):\n"
        '[rank1]:   File "/x/a.py", line 3, in f\n[rank0]:   File "/x/b.py", line 4, in g\n'
        f"[rank1]: {OOM}\n[rank0]: RuntimeError: HCCL function error, error code is 9\n"
        "[ERROR] 2025-06-12-08:07:29 (PID:1, Device:0, RankID:0) ERR02200 DIST call hccl api failed.\n"
    )
    assert cause(said(log)) == "C1"


# ---- forms

LINKS = {
    "8.0": "|  192.0.2.100(1)   |   192.0.2.101(0)   |  server  | no connect |",
    "8.1": "|  192.0.2.100(1)   |  16666  |   192.0.2.101(0)   |  0  |  server  | time out |",
    "8.3": "|  192.0.2.100(1)   |  16666  |   192.0.2.101(0)   |  0  |  client  | time out |   ENABLE  |",
    "8.5": "| 192.0.2.100(1) | 16666 | 192.0.2.101(0) | 0 | server | time out | DISABLE |",
    "9.0": "|  192.0.2.100(1)  |  16666  |   192.0.2.101(0)   |  344835272  |  server  | time out |   UNKNOWN  | LinkInfo",
    "IPv6": "|  2001:db8::100(1)  |  16666  |   2001:db8::101(0)   |  0  |  server  | time out |   DISABLE  | LinkInfo",
}  # fmt: skip


@pytest.mark.parametrize("version", LINKS)
@pytest.mark.parametrize("order", ["table last", "table first"])
def test_every_form_of_hccls_table_tells_the_pair(version: str, order: str):
    head = "[ERROR] HCCL(9,python):2025-11-22-17:37:04.44{}.996 [hccl_socket_manager.cc:816] [99]"
    lines = [
        head.format(7) + "[Wait][LinkEstablish]wait socket establish timeout, role[0] rank[0] timeout[120 s]",
        head.format(8) + "   _________________________LINK_ERROR_INFO___________________________",
        head.format(8) + "   " + LINKS[version],
    ]
    if order == "table first":
        lines = [lines[1], lines[2], lines[0].replace(".447.", ".449.")]
    found = said("\n".join(lines))
    assert cause(found) == "E4" and found.explanation is not None
    assert "(rank 0)" in found.explanation.detail and "(rank 1)" in found.explanation.detail
    assert "100" in found.explanation.detail and "101" in found.explanation.detail


@pytest.mark.parametrize(
    ("line", "name"),
    [
        (OOM, "C1"),
        ("RuntimeError: NPU out of memory. NPUWorkspaceAllocator tried to allocate 1.89 GiB(NPU 7; 60.96 GiB total)", "C1"),
        ("torch.OutOfMemoryError: NPU out of memory. Tried to allocate 20.00 MiB (NPU 0; 29.50 GiB total)", "C1"),
        ("(EngineCore_DP0 pid=791) ERROR 01-16 11:51:23 [core.py:1] " + OOM, "C1"),
        ("2026-01-26T03:28:29.123456789Z stderr F " + OOM, "C1"),
        ("plog-1012_20260714155522356.log:227:[ERROR] RUNTIME(1012,):2026-07-14-15:55:27.021.618 [d.cc:1]Aicore kernel execute failed, device_id=0", "F23"),
        ("RuntimeError: ACL stream synchronize failed, error code:507048", "E30"),
        ("RuntimeError: ACL stream synchronize failed, error code:507035", "F23"),
        ("[rank3]: RuntimeError: c10_npu::SetDevice, error code is 507033", "F25"),
        ("hccl fftsplus task timeout occurred during task execution, stream_id:9, sq_id:9, timeout=1836s.", "E30"),
        ("EE9999: 2025-06-12-08:07:28.1.2 The error from device(chipId:0, dieId:0), aicore timeout occurred", "F18"),
        ("[ERROR] RUNTIME(2082291,python3):2024-07-04-14:14:25.036.721 [stars_engine.cc:1321]2082291 ProcLogicCqReport:[INIT][DEFAULT]Task run failed, device_id=0, sqe_type=0(ffts), errType=0x1(task exception)", "F23"),
        ("[ERROR] RUNTIME(1,a):2026-07-05-18:26:40.665.908 [api.cc:1]1 rtStreamEndCapture:ErrCode=207009, desc=[driver error:no notify resource]", "207009"),
        ("EZ3002: 2024-11-05-22:31:29.035.909 Optype [X] of Ops kernel [Y] is unsupported. Reason: Z.", "EZ3002"),
        ("call aclnnInplaceCopy failed, error code is 161002", "F19"),
        ("AclNN_Parameter_Error(EZ1001): The self tensor cannot be larger than 8 dimensions.", "F19"),
        ("call aclnnMatmul failed, error code is 561112", "561112"),
        ("EJ0002: The network port is down.Suggest: check", "EJ0002"),
        ("EL0015: The device access is invalid.", "EL0015"),
        ("EE2002: Value 1,2,2 for environment variable ASCEND_RT_VISIBLE_DEVICES is invalid.", "EE2002"),
        ("E39999: Inner Error!\nE30006: Failed to verify the OPP.", "F6"),
        ("E40020: Failed to import Python module [No module named 'te'].", "B6"),
        ("error while loading shared libraries: libboundscheck.so: cannot open shared object file: No such file", "B27"),
        ("[rank1]:[E324 13:00:25.428029551 compiler_depend.ts:574] [Rank 1] Watchdog caught collective operation timeout: WorkHCCL", "E33"),
        ("[ERROR]HCCL(835695,python):2025-10-23-17:28:06.049.385[t.cc:610][835695]Cluster Exception Location[IP/ID]:[127.10.0.1/1], Arrival Time:[Thu Oct 23 17:25:58 2025], Discoverer:[127.10.0.1/2], ExceptionType:[Heartbeat Lost Occurred], Possible Reason:1. Process has exited", "E34"),
        ("x] Execute command: y\n./start.sh: 行 41:   77 已杀死                  mindieservice_daemon", "W10"),
        ("ERR01100 OPS call acl api failed.\n[Error]: The vector core execution is abnormal. ", "F23"),
        ("[rank5]:[E1212 12:10:10.142701460 compiler_depend.ts:1675] [Rank 5] HCCL watchdog thread terminated with exception:\n[ERROR] 2025-12-12-12:10:10 (PID:324, Device:5, RankID:-1) ERR02005 DIST internal error\nEH9999[PID: 324] 2025-12-12-12:10:10.649.300 (EH9999):  [Query][Status]query event recorded status failed, runtime result = 507014[FUNC:ReportCallError][FILE:log_inner.cpp][LINE:162]", "F18"),
        ("[758] [2026-05-08 03:20:32:000] torch.distributed: [ERROR] [859] Find exception when finishedNPUExecutionInternal, NPU function error: acl::AclQueryEventRecordedStatus(event_, &currStatus), error code is 507011\nThe error from device(chipId:4, dieId:1), serial number is 3, there is an exception of fftsplus aicore error, core id is 0\n[rank9]:[E508 03:20:31.678676591 compiler_depend.ts:1693] [Rank 9] HCCL watchdog thread terminated with exception:", "F23"),
        ("torch.distributed.DistStoreError: Timed out after 1801 seconds waiting for clients. 1/8 clients joined.", "E32"),
        ("RuntimeError: Initialize NPU function error: aclInit, error code is 507899\n[ERROR] Resource_Busy(EL0005): The resources are busy.", "F24"),
        ("NPU function error: c10_npu::acl::AclrtSynchronizeStreamWithTimeout(copy_stream), error code is 507013", "507013"),
        ("HCCL function error: hcclCommInitRootInfoConfig(numRanks, &rootInfo, rank, config, &(comm->hcclComm_)), error code is 11", "E37"),
        ("HCCL function error : hcclCommInitRootInfoConfig(numRanks, &rootInfo.rank, config, &(comm->hcclComm)),error code is 1", "E14"),
        ("ERR00100 PTA call acl api failed.\n[Error]: The aicpu execution times out. ", "F18"),
        ("PermissionError: [Errno 13] 权限不够: '/models/x'", "G14"),
    ],
)  # fmt: skip
def test_every_form_of_a_message_is_the_same_cause(line: str, name: str):
    for text in (
        line,
        f"\x1b[31m{line}\x1b[0m\r\n",
        f"\rLoading 98%|###| 60/61\rLoading 100%|###| 61/61\r{line}",
    ):
        assert cause(said(text)) == name


def test_hccl_s_own_verdict_and_result_are_told():
    log = (
        "[W compiler_depend.ts:487] Warning: NPU warning, error code is 507048[Error]:\n"
        "[Error]: The execution of the internal task times out.\n"
        "EI0002: [PID: 7277] 2024-11-28-11:59:30.645.648 The wait execution of the Notify register times out.\n"
        "there are(is) 1 abnormal device(s):\n"
        "Cluster Exception Location[IP/ID]:[192.0.2.240/1], Arrival Time:[Thu Nov 28 11:56:34 2024], Discoverer:[192.0.2.240/0], ExceptionType:[Heartbeat Lost Occurred], Possible Reason:1. Process has exited\n"
    )
    found = said(log)
    assert cause(found) in ("E34", "E6") and found.explanation is not None
    assert "rank 1 (192.0.2.240)" in found.explanation.detail
    result = said(
        "HCCL function error: hcclCommInitRootInfoConfig(numRanks, &rootInfo, rank), error code is 11"
    )
    assert result.explanation is not None and "a TCP connection failed" in result.explanation.detail


def test_a_long_line_is_quoted_for_its_code_or_operator_and_no_line_of_a_source_file_is():
    worker = "(EngineCore_DP0 pid=626) ERROR 12-05 07:51:00 [core.py:708] "
    found = said(
        f'{worker}  File "/vllm-workspace/vllm-ascend/vllm_ascend/utils.py", line 564, in init_ascend_soc_version\n'
        f"{worker}    soc_version = torch_npu.npu.get_soc_version()\n"
        f"{worker}RuntimeError: Initialize:build/CMakeFiles/torch_npu.dir/compiler_depend.ts:275 NPU function error: "
        "aclInit(json_path_ptr), error code is 500001\n"
        "2024-09-20 07:49:24,787 - lmdeploy - ERROR - Engine loop failed with error: The Inner error is reported as "
        "above. The process exits for this inner error, and the current working operator name is aclnnMatmulX.\n"
    )
    first, second = found.evidence.splitlines()
    assert first.endswith("error code is 500001") and second.endswith("operator name is aclnnMatmulX.")


def test_an_operator_that_torch_lacks_is_not_the_driver_s_fault():
    assert (
        cause(
            said(
                "[ERROR] 2024-11-28-11:37:15 (PID:6547, Device:0, RankID:-1) ERR01007 OPS feature not supported"
            )
        )
        is None
    )


def test_a_colleague_s_evidence_is_three_lines_at_most_and_cut_to_what_matters():
    long = (
        "x" * 3000
        + " RuntimeError: NPU out of memory. Tried to allocate 2.00 GiB (NPU 3; 60 GiB) "
        + "y" * 3000
    )
    found = said(long)
    assert cause(found) == "C1"
    assert "out of memory" in found.evidence and len(found.evidence) <= 200


@pytest.mark.parametrize(
    "piece",
    [
        "x",
        "a.a.",
        "[",
        " ",
        "( ",
        "/a/b.so:",
        "E1",
        "hccl(",
        "shm semaphore ",
        "Request mindie server ",
        "Aa_Error",
    ],
)
def test_a_line_of_twenty_thousand_characters_takes_no_time(piece: str):
    line = (piece * 20_000)[:20_000]
    began = time.process_time()
    found = said(f"{line} {OOM}\n" * 3)
    assert cause(found) == "C1"
    assert time.process_time() - began < 5
