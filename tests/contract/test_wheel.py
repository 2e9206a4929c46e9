"""The wheel holds all that lingctl needs, and works where no checkout is."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(CHECKOUT),
    ]
    subprocess.run(build, check=True, capture_output=True, timeout=300)
    (only,) = folder.glob("lingctl-*.whl")
    return only


def test_every_template_overlay_file_and_shell_program_is_inside(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for program in (CHECKOUT / "lingctl" / "shell").rglob("*.sh"):
        assert str(program.relative_to(CHECKOUT)) in inside
    for folder in ("templates", "atb_patches"):
        files = [
            path
            for path in (CHECKOUT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        ]
        assert files
        for path in files:
            assert f"lingctl/_assets/{path.relative_to(CHECKOUT)}" in inside


def test_it_works_without_the_checkout(wheel, tmp_path):
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, 'site')\n"
        "import lingctl; assert 'site' in lingctl.__file__, lingctl.__file__\n"
        "from lingctl.inventory.starter import starter_hosts\n"
        "from lingctl.release.overlay import overlay_digest\n"
        "from lingctl.program import pack as node_program\n"
        "print(starter_hosts(name='a', model='Ling-lite', mindie='1.0.0', nodes=['192.0.2.1'])[:20])\n"
        "import hashlib; print(overlay_digest(), hashlib.sha256(node_program.build()).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    from lingctl.program import pack as node_program
    from lingctl.release.overlay import overlay_digest

    assert done.stdout.split()[-2:] == [
        overlay_digest(),
        hashlib.sha256(node_program.build()).hexdigest(),
    ]
