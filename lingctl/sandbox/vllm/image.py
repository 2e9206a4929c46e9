"""The contents of the emulated image with vLLM: vLLM's own packages, which the node shows, and little else.

It has the name that lingctl has for a build of vLLM for processors; there is no vllm-ascend of this version.
The scripts and libraries of CANN lie where vllm-ascend's images have them, and as there its variables name
them too, so that a process that is started without a login shell finds them.
"""

from __future__ import annotations

from pathlib import Path

from lingctl.errors import SandboxError
from lingctl.sandbox.image_tree import ASCEND, ATB_LIBRARIES, DRIVER, Tree, ascend_files
from lingctl.sandbox.vllm import command
from lingctl.sandbox.vllm.installation import ENVIRONMENT, VERSION, cached, installed

_REPOSITORY = "lingctl/vllm-cpu"
_PYTHON = "/usr/local/bin/python3"
_SITE = Path("lib/python3.11/site-packages")
# vLLM asks which processors there are; the nodes have no /sys to tell it.
_LSCPU = """\
#!/bin/sh
echo '{"cpus":[{"cpu":0,"core":0,"node":0},{"cpu":1,"core":1,"node":0}]}'
"""
_VARIABLES = {
    "PATH": "/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
    "LD_LIBRARY_PATH": f"/{ASCEND}/ascend-toolkit/latest/lib64:/{ATB_LIBRARIES}:{DRIVER}",
    "ASCEND_TOOLKIT_HOME": f"/{ASCEND}/ascend-toolkit/latest",
    # For what asks for no memory itself, as LLM() in a script may: 1 GiB, where vLLM would take all there is.
    "VLLM_CPU_KVCACHE_SPACE": "1",
    # All nodes and workers share this machine's processors: bound to some, they would wait for each other.
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",
    "OMP_NUM_THREADS": "1",
}


def populate_vllm_image(root: Path, version: str) -> dict[str, object]:
    """Write the image's directory tree; see ``populate_image`` of MindIE's for what it gives.

    Raises:
        SandboxError: a version that is not there, or nothing is installed.
    """
    if version != VERSION:
        raise SandboxError(
            f"vLLM {version} does not run here", remedy=f"choose {VERSION}: it is the real one"
        )
    tree = Tree(root)
    ascend_files(tree)
    tree.file("usr/local/bin/vllm", f"#!{_PYTHON}\n{Path(command.__file__).read_text()}", 0o755)
    tree.file("usr/local/bin/lscpu", _LSCPU, 0o755)
    tree.link(f"usr/local/{_SITE}", str(ENVIRONMENT / _SITE))
    for file in cached(installed()):
        tree.file(f"root/.cache/vllm/modelinfos/{file.name}", file.read_text(), 0o644)
    tree.seal()
    return {
        "name": _REPOSITORY,
        "tag": version,
        "architecture": "arm64",
        "env": [f"{name}={value}" for name, value in _VARIABLES.items()],
    }
