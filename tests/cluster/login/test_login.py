"""Wherever ssh logs in, lingctl logs in: both are given the same servers, keys and ssh_config."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cluster.conftest import SSHD
from tests.cluster.login.cases import CASES, IN, row
from tests.cluster.login.world import World

pytestmark = pytest.mark.skipif(
    not Path(SSHD).exists() or not shutil.which("ssh"), reason="OpenSSH's server and client are not installed"
)


@pytest.mark.parametrize("name", CASES)
def test_ssh_and_lingctl_agree(world: World, name: str):
    expected = CASES[name](world)
    judge, refused = world.ssh(), world.lingctl()
    assert (judge.stdout == "in\n") == (expected == IN), f"ssh: {judge.stderr}"
    if refused is not None:
        assert refused.where == "n1" and refused.remedy and refused.exit_status in (1, 4)
    code = refused.code if refused else IN
    assert code == expected, f"{refused and refused.evidence}\nssh: {judge.stderr}"


def test_the_table_in_the_documents_has_a_row_for_each_case():
    page = Path(__file__).parents[3] / "docs/how-to/ssh.md"
    cells = [line.split(" | ")[0].removeprefix("| ") for line in page.read_text().splitlines()]
    rows = [row(one) for one in CASES.values()]
    assert [cell for cell in cells if cell in rows] == rows
