"""Texts of hosts.yaml: which characters each may have, in words, and what is meant by what is written."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from pathlib import PurePosixPath

LOGIN_NAME = r"^[A-Za-z_][A-Za-z0-9_.-]*$"
PATH = r"^/[A-Za-z0-9_./-]*$"
IMAGE = r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$"
CONTAINER_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
SIZE = r"^[0-9]+[kmgKMG]?$"
SERVED_NAME = r"^[A-Za-z0-9]([A-Za-z0-9_.-]{0,254}[A-Za-z0-9])?$"
NODE_NAME = r"^[A-Za-z0-9][A-Za-z0-9_.:-]*$"
VERSION = r"^[0-9]+(\.[0-9A-Za-z]+)+$"
HOST_AND_PORT = r"^([A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$"

IN_WORDS = {
    LOGIN_NAME: "a login name has letters, digits and _ . - and begins with a letter or _",
    # MindIE's own check of paths (src/utils/safe_path.cpp of 3.0.0) takes no others.
    PATH: "an absolute path of letters, digits and the characters _ . - / alone: MindIE refuses blanks, "
    "brackets and letters of other scripts; rename the folder, or mount it at such a path",
    IMAGE: "an image is [REGISTRY/]NAME:TAG or NAME@sha256:DIGEST, of letters, digits and . _ / : @ -",
    CONTAINER_NAME: "a container's name has letters, digits and _ . - and begins with a letter or digit",
    SIZE: "a size is a number with k, m or g behind it, such as 2g",
    SERVED_NAME: "1 to 256 letters, digits and the characters _ . -, a letter or digit first and last",
    NODE_NAME: "a node's name has letters, digits and _ . : - and begins with a letter or digit",
    VERSION: 'a version is numbers and words between points, in quotes: "2.1.RC1"',
    HOST_AND_PORT: "a host and its port: 10.0.0.1:6379, an IPv6 address in brackets",
}

# Control characters, line ends, marks of direction: nothing of hosts.yaml has them in earnest.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# The grammar of docker's and podman's references to images.
_REGISTRY = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?"
_FOLDER = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_REFERENCE = re.compile(
    rf"(?:{_REGISTRY}/)?{_FOLDER}(?:/{_FOLDER})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"(?:@[A-Za-z0-9]+(?:[+._-][A-Za-z0-9]+)*:[0-9a-f]{32,})?"
)
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
_FOUR_NUMBERS = re.compile(r"[0-9]+(\.[0-9]+){3}")
_WITH_PORT = re.compile(r"(?P<host>[^:]+|\[[^]]*\]):(?P<port>[0-9]{1,5})")
# What docker and podman take behind the second colon.
_ACCESS = r"ro|rw|z|Z|U|O|(no)?exec|(no)?dev|(no)?suid|(no)?copy"
_CONTRARY = ({"ro", "rw"}, {"z", "Z"})
_MOUNT_OPTION = re.compile(rf"{_ACCESS}|r?(shared|slave|private|unbindable|bind)|consistent|cached|delegated")


class FormError(ValueError):
    """A value of another form than is wanted: what is wrong with it, and what to write.

    Args:
        at: the field below the part that is judged, where a part is judged as a whole.
        twin: the field that says the same, below the same part.
    """

    def __init__(
        self, what: str, remedy: str, at: tuple[str | int, ...] = (), twin: tuple[str | int, ...] = ()
    ) -> None:
        super().__init__(f"{what}: {remedy}")
        self.what = what
        self.remedy = remedy
        self.at = at
        self.twin = twin


def need_plain(text: str) -> str:
    """The text, if it is one line of characters that can be seen. Raises FormError: it is not."""
    if not text.strip():
        raise FormError(f"{text[:60]!a} is empty", "write a value, or leave the key out")
    odd = _ODD.search(text)
    if odd:
        end = odd.group() in "\n\r\u2028\u2029"
        name = "a line end" if end else f"the character {ascii(odd.group())[1:-1]}"
        raise FormError(f"{text[:60]!a} has {name} in it", "write one line of visible characters")
    return text


def need_host(text: str) -> str:
    """A host name or an address as ssh takes it. Raises FormError: it is none; says what to write."""
    if "://" in text:
        raise FormError(f"{text!r} is a URL", "write the host alone; the port goes under ssh.port")
    user, at, rest = text.rpartition("@")
    if at:
        raise FormError(
            f"{text!r} has a login name in it", f"write {rest or 'the host'}, and ssh: {{user: {user}}}"
        )
    if is_address(text):
        return text
    ported = _WITH_PORT.fullmatch(text)
    if ported:
        host, port = ported["host"].strip("[]"), ported["port"]
        remedy = f"write {host}, and the port under ssh.port: ssh: {{port: {port}}}"
        raise FormError(f"{text!r} has a port in it", remedy)
    if text.startswith("[") and text.endswith("]") and is_address(text[1:-1]):
        raise FormError(f"{text!r} has brackets around the address", f"write {text[1:-1]}")
    if _FOUR_NUMBERS.fullmatch(text):
        raise FormError(f"{text!r} is no IPv4 address", "its numbers are 0 to 255, without zeros before them")
    if not _HOST.fullmatch(text):
        remedy = "a host has letters, digits and the characters _ . -; an address is IPv4 or IPv6"
        raise FormError(f"{text!r} is not a host name or an address", remedy)
    return text


def is_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address, which may have a zone."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def need_service_address(text: str) -> str:
    """An IP address by which the nodes reach each other.

    Raises:
        FormError: it is none, or holds on one link only.
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise FormError(
            f"{text!r} is not an IP address, which the engine needs", "give the node a service_address"
        ) from error
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        raise FormError(f"{text!r} holds on one link only", "give the node a service_address without a zone")
    return str(address)


def name_of_host(address: str) -> str:
    """A node's name from its address: what a name may not have becomes a dash."""
    return re.sub(r"[^A-Za-z0-9_.:-]", "-", address).lstrip("_.:-") or "node"


def need_image(text: str) -> str:
    """An image's name as docker and podman take it. Raises FormError: they do not."""
    if "://" in text:
        raise FormError(f"{text!r} is a URL", f"write {text.partition('://')[2]}")
    if text.endswith(":"):
        raise FormError(f"{text!r} has no tag behind its colon", "write NAME:TAG, or NAME alone for latest")
    if _REFERENCE.fullmatch(text):
        return text
    if _REFERENCE.fullmatch(text.lower()):
        raise FormError(f"{text!r} has capitals in its name", "only the registry and the tag may have them")
    raise FormError(f"{text!r} is no name of an image", IN_WORDS[IMAGE])


def need_mounts(mounts: Sequence[str]) -> None:
    """Mounts as docker and podman take them after ``-v``.

    Raises:
        FormError: one is not ``SOURCE:TARGET[:OPTIONS]`` with absolute paths and options that are known, or
            two have one target.
    """
    targets = [_target(mount) for mount in mounts]
    twice = next((one for one in targets if targets.count(one) > 1), None)
    if twice:
        raise FormError(f"two mounts have the target {twice}", "keep one of them")


def _target(mount: str) -> str:
    parts = mount.split(":")
    absolute = all(part.startswith("/") and part == part.strip() for part in parts[:2])
    if not 2 <= len(parts) <= 3 or not absolute:
        remedy = "a mount is SOURCE:TARGET[:OPTIONS], with absolute paths: /data:/data:ro"
        raise FormError(f"{mount!r} is no mount", remedy)
    target = PurePosixPath(parts[1])
    if str(target) == "/" or ".." in target.parts:
        raise FormError(f"{mount!r} has no target", "name a folder or file in the container, and not /")
    options = parts[2].split(",") if len(parts) == 3 else []
    unknown = [one for one in options if not _MOUNT_OPTION.fullmatch(one)]
    if unknown:
        raise FormError(
            f"{mount!r}: {unknown[0]!r} is no option of a mount", "usual ones: ro, rw, z, Z, rslave"
        )
    for pair in _CONTRARY:
        if len([one for one in options if one in pair]) > 1:
            raise FormError(f"{mount!r} says {' and '.join(sorted(pair))}", "write one of them, once")
    return str(target)
