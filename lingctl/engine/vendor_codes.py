"""Codes of Ascend's own software (CANN, HCCL, driver, torch_npu) in a line, and what each means. Pure.

The table is ``vendor_codes.toml`` beside this file, which names its sources. A number alone is no code:
process ids and ports have six digits too. It counts where the line calls it an error, a return value or a
result.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from lingctl.engine.logs import CodeMeaning

# Letters and digits of one family; numbers of ACL; torch_npu's (ERR, module, error).
_LETTERED = re.compile(r"(?<![A-Za-z0-9_])(E[A-Z1-9][0-9]{4}|ERR[0-9]{5})(?![A-Za-z0-9_])")
_NUMBERED = re.compile(
    r"(?:err(?:or)?\w*|\bret\w*|\bcode|result|reason|failed|status|acl\w*)\W{0,6}(?:(?:is|code|number|no)\W{0,4}){0,3}"
    r"(?<![0-9.])((?:1[046]|2[04]|36|5[046])[0-9]{4})(?![0-9.]*[0-9])",
    re.IGNORECASE,
)
_GENERAL = "9999"
# torch_npu: ERR, two digits of the module, three of the error (torch_npu/utils/_error_code.py).
_TORCH_SOURCE = "https://github.com/Ascend/pytorch/blob/HEAD/torch_npu/utils/_error_code.py"
_TORCH_MODULES = {
    "00": "torch_npu",
    "01": "torch_npu's operators",
    "02": "torch_npu's distributed part",
    "03": "torch_npu's graphs",
    "04": "torch_npu's profiling",
    "99": "another program",
}
_TORCH_ERRORS = {
    "000": "no error",
    "001": "an invalid parameter",
    "002": "an invalid type",
    "003": "an invalid value",
    "004": "an invalid pointer",
    "005": "an error inside",
    "006": "an error of memory",
    "007": "a feature that is not supported",
    "008": "a resource that was not found",
    "009": "a resource that is not available",
    "010": "a call of the system failed",
    "011": "a time limit passed",
    "012": "a permission is missing",
    "100": "a call of ACL failed",
    "200": "a call of HCCL failed",
    "300": "a call of the graph engine failed",
    "999": "an exception of the program or of another library",
}
_FIRST = "look for the first error on every node: lingctl logs"


@cache
def vendor_codes() -> Mapping[str, CodeMeaning]:
    """Every code of the table, in its order."""
    return {one.code: one for name, family in _families().items() for one in _codes(name, family)}


@cache
def vendor_code(code: str) -> CodeMeaning | None:
    """What a code means; None for one that is not known."""
    code = code.upper()
    known = vendor_codes().get(code)
    if known is not None:
        return known
    if code.startswith("ERR") and re.fullmatch(r"ERR\d{5}", code):
        return _torch(code)
    family = _family(code)
    if family is not None and re.fullmatch(rf"E[A-Z0-9]{_GENERAL}", code):
        meaning = "a general code for any fault inside; what failed stands in the lines behind it"
        return CodeMeaning(code, family["title"], meaning, _FIRST, "consequence", source=family["source"])
    return None


def family_of(code: str) -> str:
    """Whose a code is, also one that is not known itself; empty where that is not known either."""
    code = code.upper()
    if code.startswith("ERR") and re.fullmatch(r"ERR\d{5}", code):
        return "torch_npu"
    if re.fullmatch(r"0X7[0-9A-F]{6}", code):
        return "CANN's runtime, inside: what stands beside it in reason=[...] or desc=[...] says what it is"
    family = _family(code)
    return str(family["title"]) if family is not None else ""


def codes_in(line: str) -> list[str]:
    """What looks like a code of a vendor in a line, in its order."""
    found = [(one.start(1), one[1]) for one in _LETTERED.finditer(line)]
    for one in _NUMBERED.finditer(line):
        words = line[one.start() : one.start(1)]
        # A level stands before numbers of processes too: "[error] [107002]", "ERROR 107002 ---".
        if line[: one.start()][-1:] != "[" and words.strip() not in ("ERROR", "FAILED"):
            found.append((one.start(1), one[1]))
    return [code for _, code in sorted(found)]


def _torch(code: str) -> CodeMeaning | None:
    module, error = _TORCH_MODULES.get(code[3:5]), _TORCH_ERRORS.get(code[5:])
    if module is None or error is None:
        return None
    meaning = f"{module}: {error}" if module != "another program" else error
    return CodeMeaning(code, "torch_npu", meaning, _FIRST, "consequence", source=_TORCH_SOURCE)


@cache
def _families() -> Mapping[str, dict[str, Any]]:
    text = resources.files("lingctl.engine").joinpath("vendor_codes.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    remedies = table.pop("remedies")
    for family in table.values():
        family["remedies"] = remedies
    return table


def _family(code: str) -> dict[str, Any] | None:
    """The table that holds codes of this form."""
    families = _families()
    if re.fullmatch(r"E[A-Z1-9]\d{4}", code):
        shared = {"E6": "E5", "E7": "E5", "E8": "E5", "E9": "EB", "EA": "EB"}
        return families.get(shared.get(code[:2], code[:2]))
    if re.fullmatch(r"\d{6}", code):
        by_digits = {"107": "1070", "207": "2070", "507": "5070", "161": "1610", "361": "1610", "561": "1610"}
        by_digits |= {"100": "ACL", "148": "ACL", "145": "ACL", "245": "ACL", "545": "ACL", "500": "5070"}
        return families.get(by_digits.get(code[:3], "2070" if code.startswith("2000") else ""))
    return None


def _codes(name: str, family: Mapping[str, Any]) -> Iterator[CodeMeaning]:
    for code, row in family.get("codes", {}).items():
        kind, meaning, remedy = family["kind"], row, family["remedy"]
        if not isinstance(row, str):
            kind, meaning, remedy = (*row, family["remedy"])[:3]
        if remedy.startswith("@"):
            remedy = family["remedies"][remedy[1:]]
        yield CodeMeaning(code, family["title"], meaning, remedy, kind, source=family["source"])
