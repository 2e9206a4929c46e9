"""The emulated torch and torch_npu as they lie in MindIE's images; what they do is in ``sandbox.torch_npu``.

Without CANN's settings torch_npu cannot be imported, in its own words (Ascend/pytorch, module_loader.py).
"""

from __future__ import annotations

from collections.abc import Iterator

from lingctl.sandbox.interpreter import PACKAGE, on_node

NO_CANN = (
    "libhccl.so: cannot open shared object file: No such file or directory. Please check that the cann "
    "package is installed. Please run 'source set_env.sh' in the CANN installation path."
)
# Where set_env.sh of CANN lets Python look. The machine's own torch, where it has one, would be imported in
# a second by each of sixteen processes. It is hidden by these only where CANN's settings are.

_ROOM = "lingctl.sandbox.torch_npu"
_LACKS = """
def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    raise ModuleNotFoundError(f"No module named 'torch.{name}' in the emulated torch", name=f"torch.{name}")
"""


def torch_files(cann: str, site: str) -> Iterator[tuple[str, str]]:
    """Each file's path in the image and its text.

    Args:
        cann: CANN's folder of Python packages, which set_env.sh puts on the path.
        site: the interpreter's own, which is always on it.
    """
    # lingctl's program on a node brings a ``lingctl`` of its own, without a sandbox in it.
    find = f"import lingctl\n\nlingctl.__path__.append({str(on_node(PACKAGE))!r})\n"
    numbers = f"from {_ROOM}.tensors import *\nfrom {_ROOM}.tensors import __version__\n"
    yield f"{cann}/torch/__init__.py", f"{find}{numbers}from . import distributed\n{_LACKS}"
    yield f"{cann}/torch/distributed.py", f"from {_ROOM}.distributed import *\n"
    yield (
        f"{cann}/torch_npu/__init__.py",
        f"import torch\nfrom {_ROOM} import device\n\n"
        f"device.need_driver()\ntorch.npu = device\n__version__ = device.VERSION\n",
    )
    yield f"{site}/torch_npu/__init__.py", f"raise ImportError({NO_CANN!r})\n"
