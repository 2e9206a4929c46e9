"""What is seen in a tree, and which word it gets."""

import errno
import os

import pytest

from lingctl.node.overlay.store import OverlayJournal, Store
from lingctl.node.overlay.swap import recover
from lingctl.node.overlay.symbols import missing_names
from lingctl.node.overlay.tree import Tree, find_root
from lingctl.node.trouble import Trouble
from tests.node_overlay.trees import UPSTREAM, do, package, patch_upstream, state_of


def _status(root, **changes):
    return do("status", root, package(**changes))["after"]


def test_absent_then_partial_then_applied(root):
    assert state_of(root) == "absent"
    do("apply", root)
    (root / "models" / "bailing_moe" / "layout.py").unlink()
    assert state_of(root) == "partial"
    do("apply", root)
    assert _status(root)["good"] is True


@pytest.mark.parametrize("path", ["models", "models/base/router.py", "models/bailing_moe"])
def test_what_cannot_be_looked_at_is_not_taken_for_absent(path, root, monkeypatch):
    do("apply", root)
    _broken(root / path, monkeypatch)
    for action in ("status", "revert"):
        with pytest.raises(OSError, match="Input/output error"):
            do(action, root)
    monkeypatch.undo()
    assert (root / "models" / "bailing_moe").is_dir()


def test_what_a_killed_change_set_aside_is_kept_where_it_cannot_be_looked_at(root, monkeypatch):
    do("apply", root)
    target, work = root / "models" / "bailing_moe", root / ".lingctl-1"
    (work / "old").parent.mkdir()
    target.rename(work / "old")
    tree = Tree(str(root))
    Store(tree).keep_journal(OverlayJournal("revert", "1", after={"other.py": ""}))
    with monkeypatch.context() as patch:
        _broken(work / "old", patch)
        with pytest.raises(OSError, match="Input/output error"):
            recover(tree, Store(tree))
    assert recover(tree, Store(tree)) == "undone"
    assert target.is_dir() and not work.exists()


def _broken(path, monkeypatch):
    """The disk fails where this is looked at."""
    look = os.stat

    def fail(at, **more):
        if at == str(path):
            raise OSError(errno.EIO, "Input/output error", at)
        return look(at, **more)

    monkeypatch.setattr(os, "stat", fail)


def test_an_extra_file_is_a_change(root):
    do("apply", root)
    (root / "models" / "bailing_moe" / "extra.py").write_text("extra = 1\n")
    assert state_of(root) == "modified"


def test_pythons_caches_are_no_change(root):
    do("apply", root)
    cache = root / "models" / "bailing_moe" / "__pycache__"
    cache.mkdir()
    (cache / "layout.cpython-311.pyc").write_bytes(b"x")
    assert _status(root)["good"] is True
    assert do("revert", root)["identical"] is True
    assert not cache.exists()


def test_stock_that_changes_under_the_overlay_is_told(root):
    do("apply", root)
    (root / "models" / "base" / "router.py").write_text((root / "models/base/router.py").read_text() + "\n")
    found = _status(root)
    assert (found["state"], found["good"]) == ("stock-drift", False)
    assert found["drift"] == ["models/base/router.py"]
    assert do("revert", root)["differs"] == ["models/base/router.py"]


def test_k_of_n_files_of_upstreams_patch(root):
    patch_upstream(root, UPSTREAM[0])
    found = _status(root)
    assert found["state"] == "upstream-patched"
    assert found["upstream"] == {"files": [UPSTREAM[0]], "of": 3, "present": True}


def test_the_file_that_equals_stock_proves_nothing_alone(root):
    patch_upstream(root, UPSTREAM[1])
    assert _status(root)["upstream"]["files"] == [UPSTREAM[1]]
    assert state_of(root) == "absent"


def test_an_edited_loader_of_the_same_kind_is_seen(root):
    loader = root / "models" / "__init__.py"
    loader.write_text(loader.read_text() + "# bailing_moe becomes deepseek\n")
    assert state_of(root) == "upstream-patched"


def test_versions_from_all_sources(root):
    (root / "version.info").write_text("MindIE-ATB Version : 1.0.0\nPlatform : aarch64\n")
    (root.parent / "version.info").write_text("ATB-Models Version: 1.0.RC3\n")
    engine = root.parent / "mindie_llm"
    engine.mkdir()
    (engine / "version.info").write_text("mindie: 3.0.0\n")
    (root.parent / "atb_llm-1.0.0.dist-info").mkdir()
    found = _status(root)
    assert found["release"] == "1.0.0"
    said = [(entry["what"], entry["version"], entry["weak"]) for entry in found["versions"]]
    assert ("atb-models", "1.0.RC3", False) in said
    assert ("MindIE", "3.0.0", False) in said
    assert said[-1] == ("atb-models", "1.0.0", True)
    assert any("disagree on the version of atb-models: 1.0.0, 1.0.RC3" in note for note in found["notes"])


def test_the_files_themselves_tell_the_release(root):
    recorded = do("status", root, record=True)["record"]
    assert recorded["models/base/router.py"]
    stock = {"7.7": {path: digest for path, digest in recorded.items() if digest}}
    (root / "version.info").write_text("ATB-Models Version : 1.0.0\n")
    found = _status(root, stock=stock)
    assert found["release"] == "7.7"
    assert found["unknown_stock"] == []


def test_an_unknown_release_is_a_note_and_no_refusal(root):
    found = _status(root)
    assert found["release"] == ""
    assert any("no source tells the version" in note for note in found["notes"])
    assert any("of no known release" in note for note in found["notes"])
    assert do("apply", root)["changed"]


def test_diff_tells_every_file(root):
    changes = do("diff", root)["changes"]
    assert {change["kind"] for change in changes} == {"added"}
    assert {change["path"] for change in changes} == {
        f"models/bailing_moe/{name}" for name in package().files
    }
    do("apply", root)
    assert do("diff", root)["changes"] == []
    layout = root / "models" / "bailing_moe" / "layout.py"
    layout.write_text(layout.read_text().replace("place_heads", "mine"))
    (root / "models" / "bailing_moe" / "extra.py").write_text("extra = 1\n")
    changed = {change["path"]: change for change in do("diff", root)["changes"]}
    assert changed["models/bailing_moe/extra.py"]["kind"] == "removed"
    assert "-def mine(" in changed["models/bailing_moe/layout.py"]["difference"]


def test_the_shipped_requirements_are_those_of_the_contract(root):
    assert missing_names(Tree(str(root)), package().requires) == []


@pytest.mark.parametrize("below", ["", "atb_llm"])
def test_the_root_is_found_by_the_services_variable(root, monkeypatch, below):
    home = root if below == "" else root.parent
    monkeypatch.setenv("ATB_SPEED_HOME_PATH", str(home))
    assert find_root()[0] == str(root)


def test_a_machine_without_a_tree_is_told_what_to_do(monkeypatch):
    monkeypatch.delenv("ATB_SPEED_HOME_PATH", raising=False)
    with pytest.raises(Trouble, match=r"no atb_llm was found") as said:
        find_root()
    assert "--root" in said.value.remedy


def test_verify_imports_in_a_process_of_its_own(root):
    do("apply", root)
    found = do("verify", root)
    # The contract's tree needs torch for its base classes; without it the import is skipped, not failed.
    assert found["after"]["good"] is True
    assert all(said == "loaded" or said.startswith("skipped") for said in found["imports"].values())
    assert not list(root.rglob("__pycache__"))


def test_verify_tells_an_import_that_fails(root):
    do("apply", root)
    (root / "models" / "base" / "router.py").write_text("class BaseRouter:\n    broken\n")
    found = do("verify", root)
    assert found["after"]["good"] is False
    assert any("importing the router" in problem for problem in found["after"]["problems"])
