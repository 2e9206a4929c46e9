"""The real huggingface_hub against the hub on loopback as its mirror."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lingctl.node.fetch import worker
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.worker import download
from lingctl.node.trouble import Trouble
from tests.hub_server import Fault, Hub

from .conftest import LARGE, REPOSITORY, SMALL, Lingctl, contents

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")


@pytest.fixture(autouse=True)
def _one_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_FRUITLESS_TRIES", 1)


def _right(folder: Path) -> bool:
    return all((folder / name).read_bytes() == content for name, content in contents().items())


def test_fetches_from_a_mirror_and_verifies_small_files_by_their_git_ids(
    lingctl: Lingctl, hub: Hub, tmp_path: Path
) -> None:
    lingctl.environment |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf-secret", "HF_HOME": str(tmp_path / "hf")}
    words = ("download", REPOSITORY, "--to", tmp_path / "t", "--source", "huggingface", "--json")
    ran = lingctl(*words)
    assert ran.status == 0, ran.stderr
    assert _right(tmp_path / "t")
    assert "hf-secret" in hub.tokens
    assert not list((tmp_path / "t").rglob("*.incomplete"))
    hub.served.clear()
    again = lingctl(*words)
    assert (again.status, again.document["fetched_files"], sum(hub.served.values())) == (0, 0, 0)


def _request(hub: Hub) -> Request:
    return Request(source="huggingface", repository=REPOSITORY, endpoint=hub.url, python=sys.executable)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault("flipped", SMALL), "wrong-bytes"),
        (Fault("flipped", "config.json"), "wrong-bytes"),
        (Fault("status", SMALL, status=403), "hub-refused"),
    ],
)
def test_a_lasting_fault_ends_with_a_named_error(
    hub: Hub, tmp_path: Path, fault: Fault, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    hub.faults = [Fault(**vars(fault))]
    with pytest.raises(Trouble) as caught:
        download(_request(hub), str(tmp_path / "t"), lambda _: None)
    assert caught.value.code == code, caught.value.evidence
    assert not (tmp_path / "t" / fault.path).exists()
    assert (tmp_path / "t" / LARGE).read_bytes() == contents()[LARGE]


def test_says_what_to_install_where_the_client_is_missing(hub: Hub, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    # An interpreter that sees no installed packages.
    bare.write_text(f'#!/bin/sh\nexec {sys.base_prefix}/bin/python3 -S "$@"\n')
    bare.chmod(0o755)
    with pytest.raises(Trouble) as caught:
        download(_request(hub)._replace(python=str(bare)), str(tmp_path / "t"), lambda _: None)
    assert caught.value.code == "client-missing"
    assert "pip install huggingface_hub" in caught.value.remedy
