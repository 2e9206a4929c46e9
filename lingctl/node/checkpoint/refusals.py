"""The ways in which a checkpoint can be bad."""

from __future__ import annotations

from lingctl.node.trouble import Trouble


def refused(what: str) -> Trouble:
    """The pickle asks for something that is not taken."""
    return Trouble(
        f"the checkpoint {what}: refused, nothing of it was executed",
        remedy="ask its publisher for safetensors, or save it again as a plain state dict of tensors",
        code="pickle-refused",
    )


def malformed(what: str) -> Trouble:
    """The pickle contradicts itself."""
    return Trouble(
        f"malformed pickle: {what}",
        remedy="download the file again and compare its SHA-256 with the publisher's",
        code="pickle-malformed",
    )


def damaged_file(what: str, code: str, *, where: str = "", evidence: str = "") -> Trouble:
    """The file contradicts itself, or something of it is missing."""
    return Trouble(what, where=where, evidence=evidence, remedy="download the file again", code=code)
