"""The bill of materials of a bundle: CycloneDX 1.6, as JSON.

Source: the published schema bom-1.6.schema.json, by which a test judges what is written here. The same wheels
give the same bytes: there is no time in it, and its serial number is made from their sums.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from lingctl.flows.files.bundle.wheels import Wheel


def bill_of_materials(own: Wheel, others: Sequence[Wheel], where: Mapping[str, str]) -> bytes:
    """The document.

    Args:
        own: lingctl's wheel.
        others: everything else that is packed.
        where: the machine that it is for, as markers of requirements see it.
    """
    references: dict[str, str] = {canonicalize_name(one.name): _reference(one) for one in (own, *others)}
    sums = " ".join(sorted(one.sha256 for one in (own, *others)))
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, sums)}",
        "version": 1,
        "metadata": {"component": _component(own, "application")},
        "components": [_component(one, "library") for one in others],
        "dependencies": [
            {"ref": _reference(one), "dependsOn": _needs(one, references, where)} for one in (own, *others)
        ],
    }
    return (json.dumps(document, indent=2) + "\n").encode()


def _component(wheel: Wheel, kind: str) -> dict[str, object]:
    component: dict[str, object] = {
        "type": kind,
        "bom-ref": _reference(wheel),
        "name": wheel.name,
        "version": wheel.version,
        "purl": _reference(wheel),
        "hashes": [{"alg": "SHA-256", "content": wheel.sha256}],
    }
    if wheel.license:
        one = {"expression": wheel.license} if wheel.is_expression else {"license": {"name": wheel.license}}
        component["licenses"] = [one]
    return component


def _reference(wheel: Wheel) -> str:
    return f"pkg:pypi/{canonicalize_name(wheel.name)}@{wheel.version}"


def _needs(wheel: Wheel, references: Mapping[str, str], where: Mapping[str, str]) -> list[str]:
    """What is packed of a wheel's requirements: those of extras and of other machines are not."""
    found = set()
    for text in wheel.needs:
        one = Requirement(text)
        reference = references.get(canonicalize_name(one.name))
        if reference and (one.marker is None or one.marker.evaluate({**where, "extra": ""})):
            found.add(reference)
    return sorted(found)
