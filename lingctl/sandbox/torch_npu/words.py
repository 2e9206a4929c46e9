"""What torch_npu, CANN's runtime and HCCL say when a card or the way to another one fails.

Forms: Ascend/pytorch (torch_npu/_init/core/module_loader.py, csrc/distributed/HCCLUtils.hpp and
ProcessGroupHCCL.cpp, csrc/core/npu/NPUErrorCodes.h). Whole texts: users' reports, each beside what it is of.
PyTorch's own store: its source, torch/csrc/distributed/c10d/TCPStore.cpp. None of it was seen on a card here.
"""

from __future__ import annotations

import os
import time

NO_DRIVER = "libascend_hal.so: cannot open shared object file: No such file or directory"
_BUILD = "build/CMakeFiles/torch_npu.dir/compiler_depend.ts"


def _now() -> str:
    return time.strftime("%Y-%m-%d-%H:%M:%S")


def _pid() -> str:
    return f"[PID: {os.getpid()}] {_now()}.000.000"


def _called(what: str, device: int, rank: int) -> str:
    return f"[ERROR] {_now()} (PID:{os.getpid()}, Device:{device}, RankID:{rank}) {what}"


def _of_hccl(function: str, at: int, call: str, code: int, device: int, rank: int) -> str:
    return (
        f"{function}:{_BUILD}:{at} HCCL function error: {call}, error code is {code}\n"
        f"{_called('ERR02200 DIST call hccl api failed.', device, rank)}\n"
    )


def _communicator(code: int, device: int, rank: int) -> str:
    call = "HcclCommInitRootInfoConfig(numRanks, &rootInfo, rank, config, &(comm->hcclComm_))"
    return _of_hccl("create_config", 110, call, code, device, rank)


def no_such_card(index: int) -> str:
    """A number that no card has; the code and its line of NPUErrorCodes.h."""
    return (
        f"SetDevice:{_BUILD}:146 NPU function error: c10_npu::SetDevice(device), error code is 107001\n"
        f"{_called('ERR00100 PTA call acl api failed', index, -1)}\n"
        "[Error]: Invalid device ID. \n        Check whether the device ID is valid."
    )


def card_not_started(index: int) -> str:
    """A card that does not get ready: Ascend/pytorch 67 and hw-native-sys/PTOAS 1037."""
    return (
        f"Initialize:{_BUILD}:146 NPU function error: c10_npu::SetDevice(device_id_), error code is 507033\n"
        f"{_called('ERR00100 PTA call acl api failed', -1, -1)}\n"
        "[Error]: Failed to start the device. \n"
        "        Rectify the fault based on the error information in the ascend log.\n"
        f"EE1001: {_pid()} The argument is invalid.Reason: rtGetDevMsg execution failed, the context is a "
        "null pointer.\n        TraceBack (most recent call last):\n"
        f"        TsdOpen failed. devId={index}, tdt error=1[FUNC:PrintfTsdError][FILE:runtime.cc][LINE:2618]"
    )


def host_port_taken(device: int) -> str:
    """HCCL's port of the host, of the process that holds the root: vllm-ascend 405."""
    return (
        _of_hccl("createHCCLComm", 1479, "HcclGetRootInfo(&hcclID)", 11, device, -1)
        + f"EJ0003: {_pid()} Failed to bind the IP port. Reason: The IP address and port have been bound "
        "already.\n        TraceBack (most recent call last):\n        host nic listen start failed, "
        "port[60000], return[11][FUNC:StartListenSocket][FILE:network_manager.cc][LINE:1163]"
    )


def card_port_taken(device: int, rank: int, address: str) -> str:
    """HCCL's port of the card: the lines of vllm-ascend 4725, in the frame of the one above."""
    return (
        _communicator(7, device, rank)
        + f"EJ0003: {_pid()} Failed to bind the IP port. Reason: The IP address and port have been bound "
        f"already.\n        socket type[0], listen on ip[{address}] and specific port[16666] fail. Please "
        "check the port status and whether the port is being used by other process."
    )


def ranks_missing(device: int, rank: int, seconds: int) -> str:
    """Not every rank came to set up the communicator: EI0015 of CANN's list of errors, hcclug_000036."""
    return (
        _communicator(9, device, rank)
        + f"EI0015: {_pid()} topo exchange server get socket timeout! timeout[{seconds} s]"
    )


def cards_apart(device: int, rank: int, seconds: int) -> str:
    """Two cards that do not reach each other: vllm-ascend 486, with the line of EI0006 for links."""
    return (
        "InnerRunOpApi:torch_npu/csrc/framework/OpParamMaker.cpp:281 OPS function error: HcclAllreduce, "
        f"error code is 6\n{_called('ERR01100 OPS call acl api failed.', device, rank)}\n"
        f"EI0006: {_pid()} Getting socket times out. Reason: Remote Rank did not send the data in time. "
        "Please check the reason for the rank being stuck\n        Solution: 1. Check the rank service "
        "processes with other errors or no errors in the cluster.2. If this error is reported for all NPUs, "
        "check whether the time difference between the earliest and latest errors is greater than the "
        "connect timeout interval (120s by default). If so, adjust the timeout interval by using the "
        "HCCL_CONNECT_TIMEOUT environment variable.3. Check the connectivity of the communication link "
        f"between nodes.\n        wait socket establish timeout, role[0] rank[{rank}] timeout[{seconds} s]"
    )


def no_root(rank: int, why: str) -> str:
    """The rank that holds the root is gone: ProcessGroupHCCL.cpp, broadcastMasterID."""
    return (
        f"[{rank}] is setting up HCCL communicator and retrieving hcclUniqueId from [0] via c10d key-value "
        f"store by key '0', but store->get('0') got error: {why}. This may indicate a possible application "
        "crash on rank 0 or a network set up issue."
    )


def store_alone(seconds: float, joined: int, world: int) -> str:
    """PyTorch's store: not all came."""
    return (
        f"Timed out after {round(seconds) + 1} seconds waiting for clients. {joined}/{world} clients joined."
    )


def no_store(seconds: float, address: str, port: int) -> str:
    """PyTorch's store: nobody listens."""
    return (
        f"The client socket has timed out after {round(seconds * 1000)}ms while trying to connect to "
        f"({address}, {port})."
    )
