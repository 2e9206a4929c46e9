"""The certificates that config.json names: which must be there, in the words of the version.

Source: MindIE-LLM v3.0.0 src/config_manager/server_config.cpp and backend_config.cpp, whose misspellings and
uneven names are theirs. A folder and its file names are joined as they are, without a slash. 1.0.0 says
another sentence of a missing file (a user's transcript); the rest is taken to be as in 3.0.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lingctl.sandbox.engine.settings.address_rules import listened_on
from lingctl.sandbox.engine.settings.file_rules import private_file_fault
from lingctl.sandbox.engine.settings.sections import Section

_MOST = 3


class CertificateRules:
    """Looks for the files of one configuration.

    Args:
        version: 1.0.0 or 3.0.0.
        home: install folder that all paths start from.
    """

    def __init__(self, version: str, home: Path) -> None:
        self._version, self._home = version, home

    def https(self, server: Section) -> Iterator[str]:
        """What is wrong with the files of the listeners."""
        yield from self._listener(server, "tls", "serverConfig_.")
        if len(listened_on(server)) > 1:
            yield from self._listener(server, "managementTls", "ServerConfig.")
            # 1.0.0 has no certificates of its own for metrics.
            if self._version != "1.0.0":
                yield from self._listener(server, "metricsTls", "ServerConfig.")

    def inter_node(self, backend: Section) -> Iterator[str]:
        """What is wrong with the files between nodes; the revocation path is looked at as a file."""
        prefix = "backendConfig_."
        for name in ("interNodeTlsCert", "interNodeTlsPk"):
            yield from self._file(backend.get(name, ""), prefix + name)
        folder = backend.get("interNodeTlsCaPath", "")
        yield from self._folder(folder, f"{prefix}interNodeTlsCaPath")
        for file in backend.get("interNodeTlsCaFiles", []):
            yield from self._file(f"{folder}{file}", f"{prefix}interNodeTlsCaFiles")
        revoked = backend.get("interNodeTlsCrlPath", "")
        if revoked:
            yield from self._file(revoked, f"{prefix}interNodeTlsCrlPath")
            for file in backend.get("interNodeTlsCrlFiles", []):
                yield from self._file(f"{revoked}{file}", f"{prefix}interNodeTlsCrlFiles")

    def _listener(self, server: Section, listener: str, prefix: str) -> Iterator[str]:
        business = listener == "tls"
        yield from self._file(server.get(f"{listener}Cert", ""), f"{prefix}{listener}Cert")
        yield from self._revoked(server, listener, prefix)
        authorities = server.get(f"{listener}CaFile", [])
        if not 1 <= len(authorities) <= _MOST:
            yield f"ERR: serverConfig_.{listener}CaFile size must in [1, 3]{' ' if business else ''}."
        folder = server.get("tlsCaPath", "")
        yield from self._folder(folder, f"{prefix}tlsCaPath")
        for file in authorities:
            if business:
                yield from self._file(f"{folder}{file}", f"{prefix}tlsCaFile")
            else:
                yield from self._listed(f"{folder}{file}", f"{listener}CaFile", prefix)
        yield from self._file(server.get(f"{listener}Pk", ""), f"{prefix}{listener}Pk")

    def _revoked(self, server: Section, listener: str, prefix: str) -> Iterator[str]:
        folder, files = server.get(f"{listener}CrlPath", ""), server.get(f"{listener}CrlFiles", [])
        if not folder or not files:
            return
        if len(files) > _MOST:
            yield f"ERR: serverConfig_.{listener}CrlFiles size must in [0, 3] ."
        yield from self._folder(folder, f"{prefix}{listener}CrlPath")
        for file in files:
            yield from self._listed(f"{folder}{file}", f"{listener}CrlFiles", prefix)

    def _listed(self, path: str, name: str, prefix: str) -> Iterator[str]:
        if (self._home / path).is_file():
            yield from self._file(path, f"{prefix}{name}")
        else:
            yield f"ERR: serverConfig_.{name} file not exit ."

    def _file(self, path: str, name: str) -> Iterator[str]:
        target = self._home / path
        if self._version == "1.0.0" and not target.exists():
            yield f"The {name} path is invalid by: The path realpath parsing failed."
            return
        fault = private_file_fault(target, self._version)
        if fault:
            yield f"The {name} path is invalid by: {fault}"

    def _folder(self, path: str, name: str) -> Iterator[str]:
        if not (self._home / path).is_dir():
            yield f"The {name} path is not a dir by: "
