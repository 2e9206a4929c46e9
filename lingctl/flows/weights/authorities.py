"""The authorities of hosts.yaml (``hub.ca``) as one text that goes to where the hub is asked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lingctl.errors import ConfigurationError
from lingctl.inventory.given_file import read_given
from lingctl.node.fetch.hubs.trust import pem_of

# A bundle of all public authorities is 300 KB.
_MOST_BYTES = 4 << 20
_CODE = "hub-ca-file"
_REMEDY = "name a PEM or DER file of the authority's certificate in hosts.yaml: hub: {ca: FILE}"


def authorities_text(paths: Iterable[str]) -> str:
    """The certificates of the files, PEM; files may be PEM or DER.

    Raises:
        ConfigurationError: a file cannot be read, or holds no certificate.
    """
    return "\n".join(_of_file(path) for path in paths)


def _of_file(path: str) -> str:
    try:
        content = read_given(Path(path), _MOST_BYTES, code=_CODE, remedy=_REMEDY)
        return "\n".join(pem.decode() for pem in pem_of(content))
    except FileNotFoundError as error:
        what = f"the file of authorities cannot be read: {error.strerror}"
    except ValueError as error:
        what = f"this is no file of authorities: {error}"
    raise ConfigurationError(what, where=path, remedy=_REMEDY, code=_CODE)
