"""What the emulated images have in common: how their trees are written, and CANN as they bring it.

Libraries are empty files under the names that the dynamic linker would look for.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

ASCEND = "usr/local/Ascend"
CANN_PACKAGES = f"{ASCEND}/ascend-toolkit/latest/python/site-packages"
ATB_LIBRARIES = f"{ASCEND}/nnal/atb/latest/atb/cxx_abi_0/lib"
DRIVER = ":".join(f"/{ASCEND}/driver/lib64{part}" for part in ("", "/common", "/driver"))


class Tree:
    """Writes files first and takes write permission away at the end."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder_modes: dict[Path, int] = {}

    def file(self, path: str, text: str = "", mode: int = 0o440) -> None:
        """A file with a mode; its folders are made."""
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)

    def copy(self, source: Path, path: str) -> None:
        """A folder of Python files, without caches; folders 0750, files 0640."""
        for file in sorted(source.rglob("*.py")):
            self.file(f"{path}/{file.relative_to(source)}", file.read_text(), 0o640)

    def folder(self, path: str, mode: int) -> None:
        """A folder whose mode is set at the end."""
        target = self._root / path
        target.mkdir(parents=True, exist_ok=True)
        self._folder_modes[target] = mode

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        link = self._root / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    def seal(self) -> None:
        """Set the folders' modes, inner ones first."""
        for target in sorted(self._folder_modes, key=lambda path: -len(path.parts)):
            target.chmod(self._folder_modes[target])


def remove_tree(path: Path) -> None:
    """Remove a file, a link or a tree whose folders are not all writable; nothing is there afterwards."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, _ in os.walk(path):
            if not os.access(folder, os.W_OK | os.X_OK):
                Path(folder).chmod(0o700)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def exports(values: Mapping[str, str]) -> str:
    """Lines of a shell script that set variables."""
    return "".join(f'export {name}="{value}"\n' for name, value in values.items())


def ascend_files(tree: Tree) -> None:
    """What every image of the vendor has: CANN, ATB, and the usual folders."""
    toolkit, atb = f"{ASCEND}/ascend-toolkit", f"{ASCEND}/nnal/atb"
    tree.file(f"{toolkit}/latest/lib64/libascendcl.so")
    toolkit_values = {
        "ASCEND_TOOLKIT_HOME": f"/{toolkit}/latest",
        "ASCEND_HOME_PATH": f"/{toolkit}/latest",
        "LD_LIBRARY_PATH": f"/{toolkit}/latest/lib64:{DRIVER}:${{LD_LIBRARY_PATH}}",
        "PYTHONPATH": f"/{CANN_PACKAGES}:${{PYTHONPATH}}",
    }
    tree.file(f"{toolkit}/set_env.sh", exports(toolkit_values), 0o755)
    tree.file(f"{ATB_LIBRARIES}/libatb.so")
    atb_home = f"/{atb}/latest/atb/cxx_abi_0"
    values = {"ATB_HOME_PATH": atb_home, "LD_LIBRARY_PATH": f"{atb_home}/lib:${{LD_LIBRARY_PATH}}"}
    tree.file(f"{atb}/set_env.sh", exports(values), 0o755)
    for folder in ("root", "home", "tmp"):
        tree.folder(folder, 0o1777 if folder == "tmp" else 0o755 if folder == "home" else 0o700)
