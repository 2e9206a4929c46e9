"""How Python gets into nodes and containers: the interpreter that runs lingctl, at the same paths in each.

A virtual environment is not entered: its folders go on PYTHONPATH. What lies in the host's /usr/local is
shown at another place, for nodes and images have a /usr/local of their own.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import lingctl

HOST_LOCAL = Path("/.sandbox/host-local")
PACKAGE = Path(lingctl.__file__).resolve().parent
_LOCAL = Path("/usr/local")
_PLACES = Path("/.sandbox/python-places")
TOOLS, ANY_TOOL = "/.sandbox/tools", "/.sandbox/tool"


def on_node(path: Path) -> Path:
    """Where a path of this machine is on a node and in a container."""
    return HOST_LOCAL / path.relative_to(_LOCAL) if path.is_relative_to(_LOCAL) else path


def places() -> list[Path]:
    """Folders that have to be shown for Python and this package to run; on a node, what it was told."""
    if _PLACES.exists():
        return [Path(line) for line in _PLACES.read_text().splitlines()]
    # Of a checkout only the package: its folder may hold anything, the sandbox itself among it.
    checkout = PACKAGE.parent.name not in ("site-packages", "dist-packages")
    found = [PACKAGE if checkout and entry == PACKAGE.parent else entry for entry in _search_path()]
    wanted = [Path(sys.base_prefix), *found]
    shown: list[Path] = []
    for place in sorted(dict.fromkeys(wanted)):
        # All of /usr is there anyhow, and what lies in a shown folder is too.
        if not any(place.is_relative_to(parent) for parent in (Path("/usr"), *shown)):
            shown.append(place)
    return shown


def libraries() -> list[Path]:
    """Shared libraries of an interpreter in /usr/local; the linker looks for them there and nowhere else."""
    folder = HOST_LOCAL if HOST_LOCAL.exists() else _LOCAL
    return sorted((folder / "lib").glob("libpython3*.so*"))


def base_python() -> str:
    """The interpreter without a virtual environment, as nodes and containers name it."""
    return str(on_node(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"))


def full_script() -> str:
    """A shell script that is the interpreter with all packages that lingctl has here."""
    path = ":".join(str(on_node(entry)) for entry in _search_path())
    variable = f"PYTHONPATH=${{PYTHONPATH:+$PYTHONPATH:}}{shlex.quote(path)}"
    return f'#!/bin/sh\n{variable} exec {shlex.quote(base_python())} -s "$@"\n'


# It says how many words of its command line are not the tool's; the server reads the rest from /proc. Perl
# starts in a fifth of Python's time; PERL_BADLANG keeps it from complaining about a locale, and is taken out.
PERL = Path("/usr/bin/perl")
PERLS_OWN = b"PERL_BADLANG"
_PERL_CLIENT = """
if (socket(S, 1, 1, 0) && connect(S, pack("Sa*", 1, "{socket}"))) {{
    syswrite(S, "3");
    if (sysread(S, $_, 1) && $_ eq "y") {{
        $status = (sysread(S, $_, 4) || 0) == 4 ? unpack("l", $_) : 255;
        kill(-$status, $$) if $status < 0;
        exit($status);
    }}
}}
exec("{tool}", @ARGV);
"""
# Only what is built into the interpreter: a call costs little more than a process.
_CLIENT = """
import sys
sys.dont_write_bytecode = True
def call():
    import _socket, posix
    server = _socket.socket(_socket.AF_UNIX)
    try:
        server.connect({socket!r})
        server.sendall(b"5")
        if server.recv(1) != b"y":
            return None
    except OSError:
        return None
    said = server.recv(4)
    status = int.from_bytes(said, sys.byteorder, signed=True) if len(said) == 4 else 255
    if status < 0:
        posix.kill(posix.getpid(), -status)
    posix._exit(status)
call()
sys.path.insert(0, {package!r})
import importlib
sys.exit(importlib.import_module("lingctl.sandbox.tools." + sys.argv.pop(1)).main(sys.argv[1:]))
"""


def any_tool_script() -> str:
    """A shell script that runs a module of the emulated tools, by the node's tool server where that can."""
    start = _CLIENT.format(socket=TOOLS, package=str(on_node(PACKAGE.parent)))
    return f'#!/bin/sh\nexec {shlex.quote(base_python())} -I -S -c {shlex.quote(start)} "$@"\n'


def tool_script(module: str) -> str:
    """A shell script that is an emulated tool; it runs ``ANY_TOOL`` where there is no server to ask."""
    if not PERL.exists():
        return f'#!/bin/sh\nexec {ANY_TOOL} {module} "$@"\n'
    ask = shlex.quote(_PERL_CLIENT.format(socket=TOOLS, tool=ANY_TOOL))
    return f'#!/bin/sh\n{PERLS_OWN.decode()}=0 exec {PERL} -e {ask} {module} "$@"\n'


def _search_path() -> list[Path]:
    """The folders that Python looks into here beyond its own library, this package's first."""
    own = Path(sys.base_prefix) / "lib" / f"python3.{sys.version_info.minor}"
    library = {own, own / "lib-dynload"}
    found = [PACKAGE.parent]
    for entry in map(Path, sys.path):
        # A folder directly below the root would hide one that a node has of its own.
        deep = entry.is_absolute() and len(entry.parts) > 2
        if deep and entry.is_dir() and entry not in library:
            found.append(entry.resolve())
    return list(dict.fromkeys(found))
