"""What is asked for, and what a listing may hold: names, sources, settings, hostile lists, actions."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingctl.errors import ConfigurationError, UsageError
from lingctl.flows.weights.settings import hub_settings
from lingctl.flows.weights.wanted import wanted_model, weights_source
from lingctl.node.fetch.check import check
from lingctl.node.fetch.listing import HASH_OF_NOTHING, ListedFile, read_listing
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import Request, Upstream, load, parse
from lingctl.node.trouble import Trouble

SHA = "ab" * 32


def test_names_of_models() -> None:
    assert wanted_model("ling-LITE").repository == "inclusionAI/Ling-lite"
    assert wanted_model("inclusionai/ling-plus").folder == "Ling_plus"
    assert wanted_model("someone/A-b.c").folder == "A_b.c"
    with pytest.raises(ConfigurationError, match="not in the catalogue"):
        wanted_model("Ling-light")
    for text in ("a/b/c", "../x", "a/ b", "/a", "a/"):
        with pytest.raises(UsageError):
            wanted_model(text)


def test_names_of_sources(tmp_path: Path) -> None:
    names = ("node1", "node2")
    assert weights_source(None, ()).kind == "modelscope"
    assert weights_source(None, names).kind == "any"
    assert weights_source("node2:/disk", names).node == "node2"
    assert weights_source(str(tmp_path), names).folder == str(tmp_path.resolve())
    for text, of in (("node", ()), ("node3:/disk", names), ("nowhere", names)):
        with pytest.raises(UsageError):
            weights_source(text, of)


def test_settings_come_from_options_else_from_the_hubs_own_variables() -> None:
    environment = {"MODELSCOPE_DOMAIN": "mirror.example", "MODELSCOPE_API_TOKEN": "secret"}
    settings = hub_settings("modelscope", "", "", environment)
    assert (settings.endpoint, settings.token) == ("https://mirror.example", "secret")
    assert hub_settings("modelscope", "http://a:1/", "", environment).endpoint == "http://a:1"
    assert hub_settings("huggingface", "", "", environment).token == ""
    assert "secret" not in repr(settings)
    for proxy in ("proxy:3128", "http://", "http://h:99999", "ftp://h"):
        with pytest.raises(UsageError) as caught:
            hub_settings("modelscope", "", proxy, {})
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "code"),
    [
        ({"path": "../x", "size": 1, "sha256": SHA}, "hub-list-broken"),
        ({"path": "/etc/passwd", "size": 1, "sha256": SHA}, "hub-list-broken"),
        ({"path": "a//b", "size": 1, "sha256": SHA}, "hub-list-broken"),
        ({"path": "a", "size": -1, "sha256": SHA}, "hub-list-broken"),
        ({"path": "a", "size": True, "sha256": SHA}, "hub-list-broken"),
        ({"path": "a", "size": 1}, "hub-no-digest"),
        ({"path": "a", "size": 1, "sha256": "zz"}, "hub-no-digest"),
        ({"path": "a", "size": 1, "sha256": HASH_OF_NOTHING}, "hub-hash-of-nothing"),
        ("a", "hub-list-broken"),
    ],
)
def test_entries_of_a_list_that_cannot_be_trusted(entry: object, code: str) -> None:
    with pytest.raises(Trouble) as caught:
        read_listing([entry], "the hub")
    assert caught.value.code == code


def test_a_list_that_is_empty_or_names_a_file_twice() -> None:
    entry = {"path": "a", "size": 0, "sha256": HASH_OF_NOTHING}
    assert read_listing([entry], "x") == (ListedFile("a", 0, HASH_OF_NOTHING),)
    own = [{**entry, "path": path} for path in (".download/lock", ".lingctl-manifest.json")]
    assert read_listing([entry, *own], "x") == (ListedFile("a", 0, HASH_OF_NOTHING),)
    for entries in ([], None, [entry, entry], own):
        with pytest.raises(Trouble):
            read_listing(entries, "x")


def test_a_list_of_very_many_files_is_read_at_once() -> None:
    begun = time.process_time()
    entries = [{"path": f"{number}", "size": 0, "sha256": SHA} for number in range(30_000)]
    assert len(read_listing(entries, "x")) == 30_000
    # A comparison of all with all would take minutes.
    assert time.process_time() - begun < 10


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists) | st.dictionaries(st.text(), st.text()))
def test_no_list_makes_it_fall_over(entries: object) -> None:
    try:
        files = read_listing(entries, "x")
    except Trouble:
        return
    assert files


def test_a_file_that_holds_nothing_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    problem, _ = check(str(tmp_path / "a"), ListedFile("a", 5, SHA), None)
    assert problem is not None
    assert problem.code == "hash-of-nothing"


def test_a_request_keeps_its_secrets_to_its_owner(tmp_path: Path) -> None:
    request = Request(
        source="peer",
        repository="a/b",
        token="secret",
        files=(ListedFile("a", 1, SHA),),
        upstreams=(Upstream("node-0", "127.0.0.1", 5),),
    )
    assert parse(json.loads(json.dumps(request.as_json())), "x") == request
    path = tmp_path / "request.json"
    path.write_text(json.dumps(request.as_json()))
    assert load(str(path)).token == "secret"
    assert "secret" not in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600
    for content in ("[]", "{", '{"source": "peer"}', '{"source": 1, "repository": 2, "upstreams": [1]}'):
        path.write_text(content)
        with pytest.raises(Trouble):
            load(str(path))


def test_staged_parts_count_as_here(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    (tmp_path / ".download" / "files").mkdir(parents=True)
    staged = Path(place.staging)
    for name, size in {"a_0_9": 10, "a_10_19": 4, "a.incomplete": 3, "ab": 50}.items():
        (staged / name).write_bytes(b"x" * size)
    file = ListedFile("a", 100, SHA)
    assert place.staged_bytes(file) == 17
    assert place.space_needed((file,)) == 83
