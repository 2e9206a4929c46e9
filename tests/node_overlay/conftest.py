import pytest

from tests.node_overlay.trees import make_tree


@pytest.fixture(autouse=True)
def records(tmp_path, monkeypatch):
    """lingctl's records of the trees of one test."""
    monkeypatch.setenv("LINGCTL_ATB_STATE", str(tmp_path / "records"))
    return tmp_path / "records"


@pytest.fixture
def root(tmp_path):
    return make_tree(tmp_path)
