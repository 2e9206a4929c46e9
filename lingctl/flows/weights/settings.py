"""How to reach a hub: mirror, proxy, token, authorities.

Options win over the environment. Secrets are never options: every process of a machine may read the words of
another's command line, and shells keep them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from lingctl.errors import UsageError
from lingctl.flows.weights.authorities import authorities_text
from lingctl.flows.weights.wanted import HubName

# The variables that the hubs' own clients read.
_ENDPOINTS = {
    "modelscope": ("LINGCTL_ENDPOINT", "MODELSCOPE_ENDPOINT", "MODELSCOPE_DOMAIN"),
    "huggingface": ("LINGCTL_ENDPOINT", "HF_ENDPOINT"),
}
_TOKENS = {"modelscope": ("MODELSCOPE_API_TOKEN",), "huggingface": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")}


@dataclass(frozen=True, slots=True)
class HubSettings:
    """How to reach one hub."""

    hub: HubName  # which
    endpoint: str = ""  # of a mirror; empty for the hub's own
    proxy: str = ""  # for HTTP and HTTPS; empty for what the environment of the machine says
    token: str = ""  # empty for none
    ca: str = ""  # authorities that are believed beside the usual ones, PEM

    def __repr__(self) -> str:
        # A token must not reach a log, and a proxy's address may hold a password.
        return f"HubSettings({self.hub!r}, endpoint={self.endpoint!r})"


def hub_settings(
    hub: HubName,
    environment: Mapping[str, str],
    *,
    endpoint: str = "",
    proxy: str = "",
    authorities: tuple[str, ...] = (),
) -> HubSettings:
    """The settings of a hub.

    Args:
        hub: which.
        environment: where the hubs' own variables are looked up, and lingctl's.
        endpoint: as given on the command line, or empty.
        proxy: the same.
        authorities: files of certificates; see ``hub.ca`` in hosts.yaml.

    Raises:
        UsageError: an address that is none, or one with a login in it where others would see that.
        ConfigurationError: a file of authorities that is none.
    """
    _need_no_login(proxy, "--proxy", "export LINGCTL_PROXY=http://USER:PASSWORD@HOST:PORT")
    proxy = proxy or environment.get("LINGCTL_PROXY", "")
    from_environment = next((environment[v] for v in _ENDPOINTS[hub] if environment.get(v)), "")
    chosen = endpoint or from_environment
    if chosen and "://" not in chosen:
        chosen = f"https://{chosen}"
    _need_address(chosen, "--endpoint")
    _need_address(proxy, "--proxy")
    # A mirror's address is told in messages, wherever it comes from.
    _need_no_login(chosen, "--endpoint", f"export {_TOKENS[hub][0]}=TOKEN")
    token = next((environment[v] for v in _TOKENS[hub] if environment.get(v)), "")
    return HubSettings(hub, chosen.rstrip("/"), proxy, token, authorities_text(authorities))


def _need_no_login(text: str, option: str, instead: str) -> None:
    if "@" in text:
        # Not quoted: it is a secret.
        raise UsageError(
            f"{option} holds a login, which every user of this machine could read",
            remedy=f"write {option} without it, or put it into the environment: {instead}",
            code="address-secret",
        )


def _need_address(text: str, option: str) -> None:
    if not text:
        return
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
        valid = valid and (parts.port is None or parts.port > 0)
    except ValueError:
        valid = False
    if not valid:
        # Not quoted: it may hold a password.
        raise UsageError(
            f"{option} is not an address",
            remedy=f"write {option} http://HOST:PORT",
            code="address-wrong",
        )
