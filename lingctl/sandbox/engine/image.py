"""The contents of the emulated MindIE images, in the layout of the real ones.

Programs start the emulated daemon with the interpreter that the sandbox provides at /.sandbox/python.
"""

from __future__ import annotations

from pathlib import Path

from lingctl.errors import SandboxError
from lingctl.sandbox.engine.stock_config import stock_config
from lingctl.sandbox.image_tree import ASCEND, CANN_PACKAGES, DRIVER, Tree, ascend_files, exports
from lingctl.sandbox.torch_files import torch_files

_STOCK = Path(__file__).resolve().parent / "stock"
_REPOSITORY = "swr.cn-south-1.myhuaweicloud.com/ascendhub/mindie"
_SITE = "usr/local/lib/python3.11/site-packages"
PYTHON = "/.sandbox/python"

# The second name only follows the pattern of the first; no such tag has been seen.
_TAGS = {
    "1.0.0": "1.0.0-800I-A2-py311-openeuler24.03-lts",
    "3.0.0": "3.0.0-800I-A2-py311-openeuler24.03-lts",
}


def populate_image(root: Path, version: str) -> dict[str, object]:
    """Write an image's directory tree.

    Args:
        root: folder that becomes the image's ``/``.
        version: 1.0.0 or 3.0.0.

    Returns:
        ``name``, ``tag``, ``architecture`` and ``env`` (a list of ``NAME=value``).

    Raises:
        SandboxError: a version that is not emulated.
    """
    if version not in _TAGS:
        known = " and ".join(_TAGS)
        raise SandboxError(f"MindIE {version} is not emulated", remedy=f"choose one of {known}")
    tree = Tree(root)
    ascend_files(tree)
    for path, text in torch_files(CANN_PACKAGES, _SITE):
        tree.file(path, text, 0o644)
    if version == "1.0.0":
        _first(tree)
    else:
        _third(tree)
    tree.seal()
    env = ["PATH=/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin", f"LD_LIBRARY_PATH={DRIVER}"]
    return {
        "name": _REPOSITORY,
        "tag": _TAGS[version],
        "architecture": "arm64",
        "env": env,
    }


def _first(tree: Tree) -> None:
    """MindIE 1.0.0: everything below /usr/local/Ascend."""
    cann = "package_name=Ascend-cann-toolkit\nversion=8.0.0\ninnerversion=V100R001C20SPC001B251\n"
    tree.file(f"{ASCEND}/ascend-toolkit/latest/aarch64-linux/ascend_toolkit_install.info", cann)
    mindie = f"{ASCEND}/mindie"
    tree.link(f"{mindie}/latest", "1.0.0")
    parts = ("rt", "torch", "service", "llm", "sd")
    versions = "".join(f"mindie-{part}: 1.0.0\n" for part in parts)
    tree.file(f"{mindie}/1.0.0/version.info", f"Ascend-mindie : 1.0.0\n{versions}Platform : aarch64\n")
    service, llm = f"{mindie}/1.0.0/mindie-service", f"{mindie}/1.0.0/mindie-llm"
    _service(tree, service, "1.0.0")
    tree.file(f"{service}/lib/libboost_thread.so.1.82.0")
    tree.file(f"{service}/bin/mindie_llm_backend_connector", _worker_stub(), 0o500)
    latest = f"/{mindie}/latest"
    tree.file(f"{service}/set_env.sh", exports(_service_values(latest)), 0o550)
    llm_values = {"MINDIE_LLM_HOME_PATH": f"{latest}/mindie-llm"}
    llm_values["LD_LIBRARY_PATH"] = f"{latest}/mindie-llm/lib:${{LD_LIBRARY_PATH}}"
    tree.file(f"{llm}/set_env.sh", exports(llm_values), 0o550)
    tree.folder(f"{llm}/logs", 0o750)
    sources = "".join(f'source "{latest}/{part}/set_env.sh"\n' for part in ("mindie-llm", "mindie-service"))
    tree.file(f"{mindie}/set_env.sh", sources, 0o550)
    models = f"{ASCEND}/atb-models"
    tree.copy(_STOCK / "atb_llm", f"{models}/atb_llm")
    values = {
        "ATB_SPEED_HOME_PATH": f"/{models}",
        "PYTHONPATH": f"/{models}:${{PYTHONPATH}}",
        "LD_LIBRARY_PATH": f"/{models}/lib:${{LD_LIBRARY_PATH}}",
    }
    tree.file(f"{models}/set_env.sh", exports(values), 0o755)
    tree.file(f"{models}/version.info", _atb_version("1.0.0"), 0o640)
    tree.file("root/.bashrc", _bashrc(("ascend-toolkit", "nnal/atb", "atb-models", "mindie")), 0o644)


def _service_values(latest: str) -> dict[str, str]:
    return {
        "MIES_INSTALL_PATH": f"{latest}/mindie-service",
        "LD_LIBRARY_PATH": f"{latest}/mindie-service/lib:${{LD_LIBRARY_PATH}}",
        "MINDIE_LLM_LOG_TO_FILE": "1",
    }


def _third(tree: Tree) -> None:
    """MindIE 3.0.0: Python packages."""
    tree.link(f"{ASCEND}/cann", "ascend-toolkit")
    home = f"{_SITE}/mindie_llm"
    _service(tree, home, "3.0.0")
    tree.file(f"{home}/lib/libmindie_llm_manager.so")
    tree.file(f"{home}/__init__.py", '"""Marks the package."""\n')
    tree.file(f"{home}/version.info", "mindie: 3.0.0\nmindie-llm: 3.0.0\nPlatform: aarch64\n")
    values = {
        "MINDIE_LLM_HOME_PATH": f"/{home}",
        "LD_LIBRARY_PATH": f"/{home}/lib:${{LD_LIBRARY_PATH}}",
        "MINDIE_LOG_LEVEL": "ERROR",
        "MINDIE_LOG_TO_STDOUT": "0",
        "MINDIE_LOG_TO_FILE": "1",
        "HCCL_BUFFSIZE": "120",
    }
    tree.file(f"{home}/set_env.sh", exports(values), 0o550)
    tree.copy(_STOCK / "atb_llm", f"{_SITE}/atb_llm")
    tree.file(f"{_SITE}/atb_llm/version.info", _atb_version("3.0.0"), 0o640)
    models = {"ATB_SPEED_HOME_PATH": f"/{_SITE}/atb_llm"}
    models["LD_LIBRARY_PATH"] = f"/{_SITE}/atb_llm/lib:${{LD_LIBRARY_PATH}}"
    tree.file(f"{_SITE}/atb_llm/set_env.sh", exports(models), 0o750)
    for package in ("mindie_llm", "atb_llm"):
        metadata = f"Metadata-Version: 2.1\nName: {package}\nVersion: 3.0.0\n"
        tree.file(f"{_SITE}/{package}-3.0.0.dist-info/METADATA", metadata, 0o644)
    entry = (
        f'#!{PYTHON}\nfrom lingctl.sandbox.engine.entry import main\n\nraise SystemExit(main("/{home}"))\n'
    )
    tree.file("usr/local/bin/mindie_llm_server", entry, 0o755)
    tree.file("root/.bashrc", _bashrc(("ascend-toolkit", "nnal/atb")), 0o644)


def _service(tree: Tree, home: str, version: str) -> None:
    launcher = (
        f"#!{PYTHON}\nfrom lingctl.sandbox.engine.command import main\n\n"
        f'raise SystemExit(main("{version}", __file__))\n'
    )
    tree.file(f"{home}/bin/mindieservice_daemon", launcher, 0o550)
    tree.file(f"{home}/conf/config.json", stock_config(version), 0o640)
    modes = {
        "": 0o750,
        "bin": 0o550,
        "lib": 0o550,
        "conf": 0o750,
        "logs": 0o750,
        "security": 0o700,
        "scripts": 0o550,
    }
    for name, mode in modes.items():
        tree.folder(f"{home}/{name}".rstrip("/"), mode)


def _worker_stub() -> str:
    return "#!/bin/sh\necho 'started by mindieservice_daemon only' >&2\nexit 1\n"


def _atb_version(version: str) -> str:
    lines = (f"MindIE-ATB Version : {version}", f"ATB-Models Version : {version}", "Platform : aarch64")
    return "".join(f"{line}\n" for line in lines)


def _bashrc(parts: tuple[str, ...]) -> str:
    """What only an interactive shell reads."""
    return "".join(f"source /{ASCEND}/{part}/set_env.sh\n" for part in parts)
