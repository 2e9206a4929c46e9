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
        "import hashlib, sys; sys.path.insert(0, 'site')\n"
        "import lingctl; assert 'site' in lingctl.__file__, lingctl.__file__\n"
        "from lingctl.codes.catalogue import written_entries; assert len(written_entries()) > 400\n"
        "from lingctl.inventory.starter import starter_hosts\n"
        "from lingctl.mindie.overlay import package_document\n"
        "from lingctl.program import pack as node_program\n"
        "print(starter_hosts(name='a', model='Ling-lite', mindie='1.0.0', nodes=['192.0.2.1'])[:20])\n"
        "for document in (package_document(), node_program.build()):\n"
        "    print(hashlib.sha256(document).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    from lingctl.mindie.overlay import package_document
    from lingctl.program import pack as node_program

    assert done.stdout.split()[-2:] == [
        hashlib.sha256(package_document()).hexdigest(),
        hashlib.sha256(node_program.build()).hexdigest(),
    ]
