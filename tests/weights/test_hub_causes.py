"""What stands between a machine and a hub, with the real clients of both: the cause is in the first line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lingctl.flows.weights.authorities import authorities_text
from lingctl.node.fetch import worker
from lingctl.node.fetch.hubs import source as hub_source
from lingctl.node.fetch.hubs.source import HubSource
from lingctl.node.fetch.place import Place
from lingctl.node.fetch.request import Request
from lingctl.node.fetch.sources import NotFetched
from lingctl.node.fetch.worker import download
from lingctl.node.trouble import Trouble
from tests.hub_server import Fault, Hub, proxy, serve

from .conftest import LARGE, REPOSITORY, SMALL, contents
from .private_authority import COMMON_NAME, make_authority

HUBS = ("modelscope", "huggingface")
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"a" * 64 + b"\nsize 12345\n"


@pytest.fixture(autouse=True)
def _quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("MODELSCOPE_HOME", str(tmp_path / "ms"))
    monkeypatch.setenv("MODELSCOPE_DOWNLOAD_MAX_RETRIES", "0")
    monkeypatch.setenv("MODELSCOPE_REPO_TREE_PAGE_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(worker, "_FRUITLESS_TRIES", 1)


@pytest.fixture
def private_hub(tmp_path: Path) -> Iterator[tuple[Hub, Path]]:
    authority, tls = make_authority(tmp_path)
    with serve(Hub(files={REPOSITORY: contents()}), tls=tls) as running:
        yield running, authority


def _source(kind: str, url: str, folder: Path, **more: str) -> tuple[HubSource, Place]:
    place = Place(str(folder / "t"))
    place.make()
    request = Request(source=kind, repository=REPOSITORY, endpoint=url, python=sys.executable, **more)
    return HubSource(request, place), place


def _refused(kind: str, url: str, folder: Path, **more: str) -> Trouble:
    with pytest.raises(Trouble) as caught:
        _source(kind, url, folder, **more)[0].listing()
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize("kind", HUBS)
def test_the_issuer_of_a_certificate_that_is_not_trusted_is_named(
    kind: str, private_hub: tuple[Hub, Path], tmp_path: Path
) -> None:
    trouble = _refused(kind, private_hub[0].url, tmp_path)
    assert trouble.code == "hub-certificate", trouble.evidence
    assert f'issued by "{COMMON_NAME}, Example Corp"' in trouble.what
    assert "hub: {ca: FILE}" in trouble.remedy
    assert "SSL_CERT_FILE" in trouble.remedy
    assert "REQUESTS_CA_BUNDLE" in trouble.remedy


@pytest.mark.parametrize("kind", HUBS)
@pytest.mark.parametrize("way", ["ca", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_one_authority_counts_for_both_clients_however_it_is_named(
    kind: str, way: str, private_hub: tuple[Hub, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub, authority = private_hub
    more = {"ca": authorities_text([str(authority)])} if way == "ca" else {}
    if way != "ca":
        monkeypatch.setenv(way, str(authority))
    request = Request(source=kind, repository=REPOSITORY, endpoint=hub.url, python=sys.executable, **more)
    download(request, str(tmp_path / "t"), lambda _: None)
    assert (tmp_path / "t" / LARGE).read_bytes() == contents()[LARGE]


def test_a_variable_that_names_no_file_of_authorities_is_named(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    trouble = _refused("modelscope", hub.url, tmp_path)
    assert (trouble.code, trouble.exit_status) == ("hub-ca-file", 2)
    assert "SSL_CERT_FILE=/nowhere/ca.pem" in trouble.what


@pytest.mark.parametrize("kind", HUBS)
def test_behind_a_proxy_with_a_login_the_issuer_is_named_and_the_login_is_not(
    kind: str, private_hub: tuple[Hub, Path], tmp_path: Path
) -> None:
    seen: list[str] = []
    with proxy(seen, login="someone:geheim!") as address:
        through = address.replace("://", "://someone:geheim%21@")
        trouble = _refused(kind, private_hub[0].url, tmp_path, proxy=through)
        assert trouble.code == "hub-certificate", (trouble.what, trouble.evidence)
        assert COMMON_NAME in trouble.what
        refused = _refused(
            kind, private_hub[0].url, tmp_path, proxy=address.replace("://", "://someone:falsch@")
        )
    assert refused.code == "proxy-login", (refused.what, refused.evidence)
    assert address.removeprefix("http://") in refused.what
    for one in (trouble, refused):
        said = f"{one.what} {one.where} {one.evidence} {one.remedy}"
        assert "geheim" not in said
        assert "falsch" not in said
    assert seen


@dataclass
class Case:
    """A fault of the list of files, and what is told."""

    fault: Fault
    code: str
    says: tuple[str, ...] = ()
    after: float = 0.0
    again: bool | None = None
    more: dict[str, str] = field(default_factory=dict)


LISTS = {
    "a captive portal": Case(Fault("page", status=200), "hub-portal", ("web page",)),
    "a filter's 403": Case(Fault("page", status=403), "hub-portal", ("web page", "403")),
    "no JSON": Case(Fault("words"), "hub-no-json"),
    "401": Case(Fault("status", status=401), "hub-refused", ("401",)),
    "403": Case(Fault("status", status=403), "hub-refused", ("403",)),
    "404": Case(Fault("status", status=404), "hub-not-found"),
    "407": Case(Fault("status", status=407), "proxy-login", ("407",)),
    "429": Case(Fault("status", status=429, retry_after=600), "hub-busy", ("600 s",)),
    "sent on": Case(
        Fault("elsewhere", target="http://127.0.0.1:9"),
        "hub-unreachable",
        ("sends on to 127.0.0.1:9", "refuses connections"),
    ),
}


@pytest.mark.parametrize("kind", HUBS)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_does_not_come_is_told_with_its_cause(
    kind: str, name: str, hub: Hub, tmp_path: Path
) -> None:
    case = LISTS[name]
    fault = Fault(**vars(case.fault))
    fault.path = "<list>"
    hub.faults = [fault]
    trouble = _refused(kind, hub.url, tmp_path)
    assert trouble.code == case.code, (trouble.what, trouble.evidence)
    for words in case.says:
        assert words in trouble.what


@pytest.mark.parametrize("kind", HUBS)
@pytest.mark.parametrize("fault", ["endless", "drip"])
def test_a_list_without_an_end_is_given_up(
    kind: str, fault: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_source, "_LIST_SECONDS", 6.0)
    hub.faults = [Fault(fault, "<list>")]
    try:
        assert _refused(kind, hub.url, tmp_path).code == "hub-list-endless"
    finally:
        hub.opened.set()


FILES = {
    "a captive portal": Case(Fault("page", status=200), "hub-portal", ("web page",), again=False),
    "a filter's 403": Case(Fault("page", status=403), "hub-portal", ("web page",), again=False),
    "401": Case(Fault("status", status=401), "hub-refused", ("401",), again=False),
    "429": Case(Fault("status", status=429, retry_after=7), "hub-busy", ("7 s",), after=7.0, again=True),
    "500": Case(Fault("status", status=500), "hub-server-error", ("500",), again=True),
    "sent on": Case(
        Fault("elsewhere", target="http://127.0.0.1:9"),
        "hub-unreachable",
        ("sends on to 127.0.0.1:9",),
        again=True,
    ),
    "no size as listed": Case(Fault("truncated", after=100), "wrong-bytes"),
}


def _fetch(source: HubSource, place: Place) -> dict[str, NotFetched]:
    problems: dict[str, NotFetched] = {}

    def arrived(file: object, digest: str | None) -> None:
        try:
            place.adopt(file, digest)  # type: ignore[arg-type]  # as the worker does
        except Trouble as trouble:
            problems[file.path] = NotFetched(file.path, trouble, True)  # type: ignore[attr-defined]

    for failure in source.fetch(source.listing(), place, lambda *_: None, arrived):
        problems[failure.path] = failure
    return problems


@pytest.mark.parametrize("kind", HUBS)
def test_a_file_that_does_not_come_is_told_with_its_cause(
    kind: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_DOWNLOAD_TIMEOUT", "5")
    # Hugging Face's client tries the others again for half a minute.
    chosen = [name for name in FILES if kind == "modelscope" or name not in ("429", "500", "sent on")]
    names = {f"model-{number}.safetensors": name for number, name in enumerate(chosen)}
    hub.files[REPOSITORY] = dict.fromkeys(names, b"x" * 5000) | {"good.safetensors": b"good"}
    hub.faults = [Fault(**{**vars(FILES[name].fault), "path": path}) for path, name in names.items()]
    failures = _fetch(*_source(kind, hub.url, tmp_path))
    assert set(failures) == set(names)
    for path, name in names.items():
        case, failure = FILES[name], failures[path]
        assert failure.trouble.code == case.code, (name, failure.trouble.what, failure.trouble.evidence)
        assert failure.trouble.what.startswith(path)
        assert all(words in failure.trouble.what for words in case.says), failure.trouble.what
        assert case.again is None or failure.again == case.again, name
        assert failure.after == case.after


@pytest.mark.parametrize("kind", HUBS)
def test_a_git_lfs_pointer_that_is_listed_as_the_file_is_refused(kind: str, hub: Hub, tmp_path: Path) -> None:
    hub.files[REPOSITORY] = {SMALL: POINTER, "config.json": b"{}"}
    request = Request(source=kind, repository=REPOSITORY, endpoint=hub.url, python=sys.executable)
    with pytest.raises(Trouble) as caught:
        download(request, str(tmp_path / "t"), lambda _: None)
    assert caught.value.code == "lfs-pointer"
    assert f"{SMALL} is a Git-LFS pointer" in caught.value.what
    assert not (tmp_path / "t" / SMALL).exists()


def test_a_file_that_drips_and_one_without_an_end_are_given_up(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_source, "_TOO_MUCH", 8 << 20)
    hub.files[REPOSITORY] = {SMALL: b"x" * 5000}
    for fault, code in (("endless", "hub-too-much"), ("drip", "hub-too-slow")):
        source, place = _source("huggingface", hub.url, tmp_path)
        files = source.listing()
        monkeypatch.setattr(hub_source, "_STALL_SECONDS", {"huggingface": 6.0})
        hub.faults = [Fault(fault, SMALL)]
        failures = source.fetch(files, place, lambda *_: None, lambda *_: None)
        assert [failure.trouble.code for failure in failures] == [code]
    hub.opened.set()


@pytest.mark.parametrize(
    ("kind", "name"), list(zip(HUBS, ("MODELSCOPE_OFFLINE", "HF_HUB_OFFLINE"), strict=True))
)
def test_a_machine_that_is_told_to_ask_no_hub_says_so(
    kind: str, name: str, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "1")
    trouble = _refused(kind, hub.url, tmp_path)
    assert (trouble.code, trouble.exit_status) == ("hub-offline", 2)
    assert trouble.what.startswith(f"{name}=1 is set")
    assert not hub.requests


def test_plain_http_behind_an_https_address_is_named(hub: Hub, tmp_path: Path) -> None:
    trouble = _refused("modelscope", hub.url.replace("http://", "https://"), tmp_path)
    assert trouble.code == "hub-tls", (trouble.what, trouble.evidence)
    assert "plain HTTP" in trouble.remedy


def test_a_name_that_is_not_known_is_named(tmp_path: Path) -> None:
    trouble = _refused("modelscope", "http://hub.invalid", tmp_path)
    assert trouble.code == "hub-unreachable"
    assert "the name hub.invalid is not known" in trouble.what
