"""The bundle installs with no index, in a fresh environment, and what was installed makes the same again."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from lingctl.errors import UsageError
from lingctl.events import ignore
from lingctl.flows.files.bundle.archive import make_bundle

_HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
_OFFLINE = {
    "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
    "PIP_CONFIG_FILE": os.devnull,
    "PIP_NO_CACHE_DIR": "1",
    "PIP_COMPILE": "0",  # half of the time of an install that is started once
    "HTTPS_PROXY": "http://127.0.0.1:9",
    "HTTP_PROXY": "http://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    words = ["bundle", "--to", str(folder), "--arch", platform.machine(), "--python", _HERE]
    made = subprocess.run(
        [sys.executable, "-m", "lingctl", *words],
        capture_output=True,
        text=True,
    )
    if "bundle-pip" in made.stderr or "bundle-wheel" in made.stderr:
        pytest.skip("no package index can be reached to make a bundle from")
    assert made.returncode == 0, made.stderr
    return Path(made.stdout.strip())


def test_installs_with_no_index(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as bundle:
        bundle.extractall(tmp_path, filter="data")
    folder = tmp_path / archive.stem
    installed = subprocess.run(
        ["sh", str(folder / "install.sh"), str(tmp_path / "there")],
        env={**os.environ, **_OFFLINE, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert installed.returncode == 0, installed.stderr
    command = installed.stdout.strip()
    said = subprocess.run([command, "--version"], capture_output=True, text=True, cwd=tmp_path)
    assert said.stdout.startswith("lingctl "), said.stderr
    check = "import lingctl.assets as a; print(a.asset('templates'), a.asset('atb_patches'))"
    python = str(tmp_path / "there" / "bin" / "python")
    assert subprocess.run([python, "-c", check], cwd=tmp_path).returncode == 0
    assert (folder / "overlay" / "bailing_moe").is_dir()
    assert (folder / "docs").is_dir()
    assert (folder / "LICENSE").read_text().startswith("MIT License")
    again = (
        "from pathlib import Path; from lingctl.flows.files.bundle.own_wheel import build_own_wheel;"
        f"print(build_own_wheel(Path({str(tmp_path)!r})))"
    )
    wheel = subprocess.run([python, "-c", again], capture_output=True, text=True, cwd=tmp_path)
    assert wheel.returncode == 0, wheel.stderr
    names = {Path(name).name for name in _names(wheel.stdout.strip())}
    assert {"METADATA", "RECORD", "entry_points.txt", "app.py", "start.sh.j2"} <= names


def test_a_changed_file_is_not_installed(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive) as bundle:
        bundle.extractall(tmp_path, filter="data")
    folder = tmp_path / archive.stem
    wheel = next((folder / "wheels").glob("paramiko-*.whl"))
    wheel.write_bytes(wheel.read_bytes() + b"x")
    command = ["sh", str(folder / "install.sh"), str(tmp_path / "there")]
    ran = subprocess.run(
        command, env={**os.environ, "PYTHON": sys.executable}, capture_output=True, text=True
    )
    assert ran.returncode != 0
    assert not (tmp_path / "there").exists()


def test_another_wheel_is_not_installed_though_the_sums_beside_it_were_changed_too(
    archive: Path, tmp_path: Path
) -> None:
    """pip holds to the hashes of requirements.txt, as it did when the bundle was made."""
    with tarfile.open(archive) as bundle:
        bundle.extractall(tmp_path, filter="data")
    folder = tmp_path / archive.stem
    wheel = next((folder / "wheels").glob("idna-*.whl"))
    with zipfile.ZipFile(wheel, "a") as changed:
        changed.writestr("idna/more.py", "")
    sums = (folder / "SHA256SUMS").read_text().splitlines()
    ours = f"{hashlib.sha256(wheel.read_bytes()).hexdigest()}  wheels/{wheel.name}"
    sums = [ours if line.endswith(wheel.name) else line for line in sums]
    (folder / "SHA256SUMS").write_text("\n".join(sums) + "\n")
    ran = subprocess.run(
        ["sh", str(folder / "install.sh"), str(tmp_path / "there")],
        env={**os.environ, **_OFFLINE, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
    )
    assert ran.returncode != 0
    assert "HASHES" in ran.stderr
    assert not (tmp_path / "there/bin/lingctl").exists()


def test_the_sum_stands_beside_the_archive_as_sha256sum_reads_it(archive: Path) -> None:
    beside = Path(f"{archive}.sha256")
    checked = subprocess.run(["sha256sum", "--check", beside], cwd=archive.parent, capture_output=True)
    assert checked.returncode == 0, checked.stderr


def test_the_bill_of_materials_is_of_the_published_schema_and_names_every_wheel(archive: Path) -> None:
    with tarfile.open(archive) as bundle:
        names = {Path(name).name for name in bundle.getnames() if name.endswith(".whl")}
        sums = bundle.extractfile(f"{archive.stem}/SHA256SUMS")
        bill = bundle.extractfile(f"{archive.stem}/sbom.cdx.json")
        assert sums and bill
        text, listed = bill.read().decode(), sums.read().decode()
    schema = JsonStrictValidator(SchemaVersion.V1_6)
    assert schema.validate_str(text) is None
    document = json.loads(text)
    components = [document["metadata"]["component"], *document["components"]]
    assert len(components) == len(names)
    for component in components:
        assert component["licenses"], component["name"]
        assert f"{component['hashes'][0]['content']}  wheels/" in listed
    known = {component["bom-ref"] for component in components}
    needs = {one["ref"]: one["dependsOn"] for one in document["dependencies"]}
    assert needs.keys() == known
    own = next(name for name in known if name.startswith("pkg:pypi/lingctl@"))
    assert any(name.startswith("pkg:pypi/paramiko@") for name in needs[own])
    assert all(set(names) <= known for names in needs.values())


@pytest.mark.parametrize(("arch", "python"), [("riscv64", "3.11"), ("aarch64", "3.9"), ("aarch64", "three")])
def test_refuses_machines_that_lingctl_does_not_run_on(tmp_path: Path, arch: str, python: str) -> None:
    with pytest.raises(UsageError):
        make_bundle(tmp_path, arch, python, ignore)


def _names(wheel: str) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()
