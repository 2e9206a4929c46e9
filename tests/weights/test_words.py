"""What is asked for, and what a listing may hold: names, sources, settings, hostile lists, actions."""

from __future__ import annotations

import json
import os
import ssl
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lingctl.cli.weights.download import download as verb
from lingctl.errors import ConfigurationError, UsageError
from lingctl.flows.weights import download as flow
from lingctl.flows.weights.authorities import authorities_text
from lingctl.flows.weights.options import DownloadOptions
from lingctl.flows.weights.settings import hub_settings
from lingctl.flows.weights.wanted import wanted_model, weights_source
from lingctl.node.fetch.answers import Fetched
from lingctl.node.fetch.check import check
from lingctl.node.fetch.hubs.causes import without_logins
from lingctl.node.fetch.hubs.certificate import issuer
from lingctl.node.fetch.hubs.trust import authorities
from lingctl.node.fetch.listing import HASH_OF_NOTHING, ListedFile, read_listing
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import Request, Upstream, load, parse
from lingctl.node.trouble import Trouble

from .private_authority import make_authority

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
    settings = hub_settings("modelscope", environment)
    assert (settings.endpoint, settings.token) == ("https://mirror.example", "secret")
    assert hub_settings("modelscope", environment, endpoint="http://a:1/").endpoint == "http://a:1"
    assert hub_settings("huggingface", environment).token == ""
    assert "secret" not in repr(settings)
    for proxy in ("proxy:3128", "http://", "http://h:99999", "ftp://h"):
        with pytest.raises(UsageError) as caught:
            hub_settings("modelscope", {}, proxy=proxy)
        assert "secret" not in str(caught.value)


def test_a_login_is_taken_from_the_environment_and_refused_on_the_command_line() -> None:
    """Every user of a machine may read the words of every command line."""
    address = "http://ops:secret@proxy.example:3128"
    assert hub_settings("modelscope", {"LINGCTL_PROXY": address}).proxy == address
    for options in ({"proxy": address}, {"endpoint": address}, {"endpoint": "token-secret@mirror.example"}):
        with pytest.raises(UsageError) as caught:
            hub_settings("modelscope", {}, **options)
        assert caught.value.code == "address-secret"
        assert "secret" not in str(caught.value).replace("address-secret", "")
        assert "export " in caught.value.remedy
    with pytest.raises(UsageError):
        hub_settings("huggingface", {"HF_ENDPOINT": "https://u:secret@mirror.example"})


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
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(Trouble, match="no regular file"):
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


def _who_fetches(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, DownloadOptions]]:
    asked: list[tuple[str, DownloadOptions]] = []

    def fetch(where: str, options: DownloadOptions) -> Fetched:
        asked.append((where, options))
        return Fetched(options.folder, 1, 1, 1, 1, (), (), "ab", "cd", 1.0)

    monkeypatch.setattr(flow, "download_here", lambda options, _: fetch("here", options))
    monkeypatch.setattr(
        flow,
        "download_everywhere",
        lambda cluster, options, *_, **__: {name: fetch(name, options) for name in cluster.node_names},
    )
    return asked


def test_hosts_yaml_of_the_folder_counts_as_for_every_other_verb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = _who_fetches(monkeypatch)
    authority, _ = make_authority(tmp_path)
    verb("Ling-lite")
    hosts = f"name: demo\nmodel: Ling-lite\nnodes:\n  - address: 127.0.0.1\nhub:\n  ca: {authority.name}\n"
    Path("hosts.yaml").write_text(hosts)
    verb("Ling-lite")
    assert "onto 127.0.0.1: /root/models/Ling_lite" in capsys.readouterr().err
    verb("Ling-lite", here=True)
    assert [(where, options.folder) for where, options in asked] == [
        ("here", "Ling_lite"),
        ("127.0.0.1", "/root/models/Ling_lite"),
        ("here", "Ling_lite"),
    ]
    # The authorities of hosts.yaml count for both.
    pem = authority.read_text().strip()
    assert [options.settings.ca for _, options in asked] == ["", pem, pem]
    with pytest.raises(UsageError) as caught:
        verb("Ling-lite", to="./here")
    assert "--here" in caught.value.remedy


def test_who_stops_downloads_on_this_machine_is_told_what_to_leave_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for here, remedy in ((False, "add --nodes hosts.yaml"), (True, "leave --here out")):
        with pytest.raises(UsageError) as caught:
            verb("Ling-lite", stop=True, here=here)
        assert caught.value.remedy == remedy


def test_files_of_authorities_may_be_pem_or_der_and_what_is_none_is_named(tmp_path: Path) -> None:
    authority, _ = make_authority(tmp_path)
    pem = authority.read_text()
    binary = tmp_path / "authority.cer"
    binary.write_bytes(ssl.PEM_cert_to_DER_cert(pem))
    for path in (authority, binary):
        text = authorities_text([str(path)])
        assert ssl.PEM_cert_to_DER_cert(text) == binary.read_bytes()
    broken = tmp_path / "broken.pem"
    for content in (b"", b"<html>", b"\x30\x03abc", pem[:200].encode() + b"\n-----END CERTIFICATE-----\n"):
        broken.write_bytes(content)
        with pytest.raises(ConfigurationError) as caught:
            authorities_text([str(broken)])
        assert caught.value.code == "hub-ca-file"
    os.mkfifo(tmp_path / "pipe")
    large = tmp_path / "large.pem"
    large.write_text(pem)
    os.truncate(large, 5 << 20)
    for path, words in (
        (tmp_path / "nothing", "cannot be read"),
        (tmp_path / "pipe", "no ordinary file"),
        (tmp_path, "cannot be read"),
        (large, "is larger than"),
    ):
        with pytest.raises(ConfigurationError, match=words) as caught:
            authorities_text([str(path)])
        assert caught.value.code == "hub-ca-file"


def test_a_variable_may_name_several_folders_of_authorities(tmp_path: Path) -> None:
    authority, _ = make_authority(tmp_path)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    os.mkfifo(second / "pipe")
    (second / "0a1b2c3d.0").symlink_to(authority)
    for value in (f"{first}:{second}", f"/nowhere:{second}", str(second)):
        assert authorities({"SSL_CERT_DIR": value}, "").strip() == authority.read_bytes().strip()


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("SSL_CERT_DIR", "/nowhere:/nor/there", "cannot be read"),
        ("SSL_CERT_DIR", "EMPTY", "holds no certificate"),
        ("SSL_CERT_FILE", "PIPE", "is no regular file"),
        ("REQUESTS_CA_BUNDLE", "/dev/zero", "is no regular file"),
    ],
)
def test_what_holds_no_authorities_is_named_with_its_variable(
    variable: str, value: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "EMPTY").mkdir()
    os.mkfifo(tmp_path / "PIPE")
    value = value if value.startswith("/") else str(tmp_path / value)
    with pytest.raises(Trouble) as caught:
        authorities({variable: value}, "")
    assert caught.value.code == "hub-ca-file"
    assert f"{variable}={value}: " in caught.value.what
    assert words in caught.value.what


@given(st.binary(max_size=400))
def test_no_certificate_makes_the_reader_of_issuers_fall_over(content: bytes) -> None:
    assert isinstance(issuer(content), str)


def test_what_is_told_of_a_failure_holds_no_login() -> None:
    for text in ("http://user:pass@proxy:1/", "x://a:b@c", "HTTPS_PROXY=https://someone:pass@host"):
        assert "pass" not in without_logins(text, [])
        assert ":b@" not in without_logins(text, [])
    assert without_logins("token abc in it", ["abc"]) == "token *** in it"
    assert without_logins("http://host/path@1", []) == "http://host/path@1"
