"""Nodes over SSH, by paramiko.

Paramiko imports ``invoke`` where it finds it, for ``Match exec`` of an ssh_config, which it reads for nobody
here. That takes half of the time of the whole import: a YAML reader, asyncio, unittest. So it is not found.
"""

from __future__ import annotations

import sys

if "invoke" not in sys.modules:
    sys.modules["invoke"] = None  # type: ignore[assignment]  # None: not to be found (sys.modules)
    try:
        import paramiko  # noqa: F401  (imported now, while it holds)
    finally:
        del sys.modules["invoke"]
