"""batch against real servers: every request answered once, in order, whatever ends it in the middle."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lingctl.errors import ConfigurationError, ConnectError, EngineError, LockedError, UsageError
from lingctl.events import Event, ignore
from lingctl.flows.serve.asked_service import UrlService
from lingctl.flows.serve.batch.given import BatchOptions, judged_input
from lingctl.flows.serve.batch.service import batch
from lingctl.flows.serve.batch.state import batch_state, place_of
from lingctl.serving.batch.retries import Retries
from lingctl.serving.endpoint import endpoint_at
from tests import forked
from tests.engine_node import wait_until

QUICK = Retries(most=3, first=0.01, longest=0.02)


@dataclass
class Service:
    """What it was asked, and how it answers what begins with a word."""

    asked: Counter[str] = field(default_factory=Counter)
    bodies: list[dict] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    go_on: threading.Event = field(default_factory=threading.Event)
    open: int = 0
    most_open: int = 0
    free_at: float = 0.0
    url: str = ""

    def _has_room(self) -> bool:
        """One request each hundredth of a second."""
        with self.lock:
            now = time.monotonic()
            free = now >= self.free_at
            self.free_at = now + 0.01 if free else self.free_at
            return free

    def answer(self, text: str, count: int) -> tuple[int, dict, dict[str, str]]:
        word = text.split()[0]
        if word == "bad":
            return 400, {"error": {"message": "no such field", "type": "BadRequestError"}}, {}
        if word == "broken" or (word == "flaky" and count < 3):
            return 500, {"error": {"message": "EngineCore encountered an issue."}}, {}
        if word == "limited" and count < 2:
            return 429, {"error": {"message": "slow down"}}, {"Retry-After": "0"}
        if word == "scarce" and not self._has_room():
            return 429, {"error": {"message": "rate limit"}}, {"Retry-After": "0"}
        if word == "locked":
            return 401, {"error": "Unauthorized"}, {}
        if word == "held":
            time.sleep(0.02)
        if word == "waits":
            self.go_on.wait(60)
        message = {"role": "assistant", "content": f"on {text}: 中"}
        usage = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        return 200, {"id": "c", "choices": choices, "usage": usage}, {"x-request-id": f"r-{text}"}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    service: Service

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self._send(200, {"data": [{"id": "ling", "owned_by": "vllm"}]}, {})

    def do_POST(self) -> None:
        service = self.service
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = body["messages"][0]["content"] if "messages" in body else body["prompt"]
        with service.lock:
            service.asked[text] += 1
            service.bodies.append(body)
            service.open += 1
            service.most_open = max(service.most_open, service.open)
            count = service.asked[text]
        try:
            answer = service.answer(text, count)
        finally:
            with service.lock:
                service.open -= 1  # before it is answered: who has the answer may ask at once
        try:
            self._send(*answer)
        except OSError:
            self.close_connection = True

    def _send(self, status: int, data: dict, headers: dict[str, str]) -> None:
        content = json.dumps(data).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


@contextmanager
def serving() -> Iterator[Service]:
    service = Service()
    with _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"service": service})) as server:
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            yield service
        finally:
            service.go_on.set()
            server.shutdown()


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


def row(name: str, text: str, **body: object) -> dict:
    asked = {"messages": [{"role": "user", "content": text}], "max_tokens": 5, **body}
    return {"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": asked}


def write(path: Path, *texts: str, **body: object) -> Path:
    rows = [row(f"id-{number}", text, **body) for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def options(folder: Path, **more: object) -> BatchOptions:
    given = {"retries": QUICK, "concurrency": 4, **more}
    return BatchOptions(folder / "in.jsonl", folder / "out.jsonl", **given)


def run(url: str, asked: BatchOptions, listener=ignore):
    return batch(UrlService(endpoint_at(url)), judged_input(asked, listener), asked, listener)


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def names(path: Path) -> list[str]:
    return [one["custom_id"] for one in lines(path)]


def test_answers_come_in_the_order_of_the_input_and_errors_in_a_file_of_their_own(tmp_path, service):
    texts = [f"{'bad' if number % 5 == 2 else 'good'} {number}" for number in range(40)]
    write(tmp_path / "in.jsonl", *texts)
    report = run(service.url, options(tmp_path))
    good = [f"id-{number}" for number in range(40) if number % 5 != 2]
    assert names(tmp_path / "out.jsonl") == good
    assert names(tmp_path / "out.errors.jsonl") == [f"id-{number}" for number in range(2, 40, 5)]
    first, refused = lines(tmp_path / "out.jsonl")[0], lines(tmp_path / "out.errors.jsonl")[0]
    assert first["response"]["status_code"] == 200 and first["response"]["request_id"] == "r-good 0"
    assert first["response"]["body"]["choices"][0]["message"]["content"] == "on good 0: 中"
    assert first["error"] is None is refused["error"] and refused["response"]["status_code"] == 400
    assert (report.requests, report.answered, report.failed, report.exit_status) == (40, 32, 8, 3)
    counts = report.counts
    assert (counts.prompt_tokens, counts.output_tokens, counts.retries) == (96, 160, 0)
    assert counts.troubles == {"HTTP 400": (8, "id-2", "no such field")}
    assert not place_of(tmp_path / "out.jsonl").exists()
    assert all(body["model"] == "ling" for body in service.bodies), (
        "the served model, where a line names none"
    )


def test_completions_are_asked_at_their_own_path(tmp_path, service):
    line = {"custom_id": "a", "method": "POST", "url": "/v1/completions", "body": {"prompt": "good p"}}
    (tmp_path / "in.jsonl").write_text(json.dumps(line))
    assert run(service.url, options(tmp_path)).exit_status == 0
    assert service.bodies == [{"model": "ling", "prompt": "good p"}]


def test_what_may_be_answered_later_is_asked_again(tmp_path, service):
    write(tmp_path / "in.jsonl", "flaky a", "limited b", "good c")
    report = run(service.url, options(tmp_path))
    assert report.exit_status == 0
    assert service.asked == {"flaky a": 3, "limited b": 2, "good c": 1}
    assert report.counts.retries == 3


def test_a_service_that_takes_so_many_a_second_gets_so_many(tmp_path, service):
    """It says 429 to each far more often than a request is asked again; but it does answer."""
    write(tmp_path / "in.jsonl", *[f"scarce {number}" for number in range(60)])
    report = run(service.url, options(tmp_path, concurrency=12))
    assert report.exit_status == 0
    assert max(service.asked.values()) > QUICK.most + 1


def test_no_more_are_open_than_asked_for(tmp_path, service):
    write(tmp_path / "in.jsonl", *[f"held {number}" for number in range(60)])
    run(service.url, options(tmp_path, concurrency=3))
    assert service.most_open == 3


def test_a_second_run_asks_nothing_and_a_run_after_failures_asks_only_these(tmp_path, service):
    write(tmp_path / "in.jsonl", "good a", "bad b", "good c")
    run(service.url, options(tmp_path))
    report = run(service.url, options(tmp_path))
    assert service.asked == {"good a": 1, "bad b": 2, "good c": 1}
    assert (report.before, report.answered, report.exit_status) == (2, 2, 3)

    write(tmp_path / "in.jsonl", "good a", "good b", "good c")
    (tmp_path / "out.jsonl").unlink()
    assert run(service.url, options(tmp_path)).exit_status == 0
    assert not (tmp_path / "out.errors.jsonl").exists(), "an old file of errors is no file of this run"
    asked = sum(service.asked.values())
    said: list[Event] = []
    report = run(service.url, options(tmp_path), said.append)
    assert sum(service.asked.values()) == asked
    assert (report.before, report.exit_status) == (3, 0)
    assert [event.state for event in said] == ["unchanged"]


def test_lines_that_were_added_are_asked_and_others_are_not(tmp_path, service):
    write(tmp_path / "in.jsonl", "good a", "good b")
    run(service.url, options(tmp_path))
    write(tmp_path / "in.jsonl", "good a", "good b", "good c")
    assert run(service.url, options(tmp_path)).before == 2
    assert service.asked == {"good a": 1, "good b": 1, "good c": 1}
    assert names(tmp_path / "out.jsonl") == ["id-0", "id-1", "id-2"]


def test_an_output_of_another_input_is_noticed_and_kept(tmp_path, service):
    write(tmp_path / "in.jsonl", "good a", "good b")
    run(service.url, options(tmp_path))
    before = (tmp_path / "out.jsonl").read_bytes()
    write(tmp_path / "in.jsonl", "good a", "good x")
    with pytest.raises(ConfigurationError) as caught:
        run(service.url, options(tmp_path))
    assert caught.value.code == "batch-output" and "line 2" in caught.value.what
    assert (tmp_path / "out.jsonl").read_bytes() == before
    assert service.asked == {"good a": 1, "good b": 1}


def test_the_service_is_named_as_lines_name_it_or_told(tmp_path, service):
    write(tmp_path / "in.jsonl", "good a", model="gpt-4o-mini")
    with pytest.raises(ConfigurationError) as caught:
        run(service.url, options(tmp_path))
    assert caught.value.code == "batch-model" and "--any-model" in caught.value.remedy
    assert not service.asked
    assert run(service.url, options(tmp_path, any_model=True)).exit_status == 0
    assert service.bodies[0]["model"] == "ling"


def test_nothing_is_asked_while_a_line_is_wrong(tmp_path, service):
    path = write(tmp_path / "in.jsonl", "good a", "good b")
    path.write_text(path.read_text() + "{\n" + json.dumps(row("id-0", "x", stream=True)) + "\n")
    with pytest.raises(ConfigurationError) as caught:
        run(service.url, options(tmp_path))
    assert caught.value.code == "batch-input"
    assert [text.split(":")[0] for text in caught.value.evidence.splitlines()] == ["line 3", "line 4"]
    assert not service.asked and not (tmp_path / "out.jsonl").exists()


def test_files_that_cannot_be_are_told_before_anything_is_asked(tmp_path, service):
    write(tmp_path / "in.jsonl", "good a")
    for wrong in (
        BatchOptions(tmp_path / "none.jsonl", tmp_path / "out.jsonl"),
        BatchOptions(Path("/dev/zero"), tmp_path / "out.jsonl"),
        BatchOptions(tmp_path / "in.jsonl", tmp_path / "in.jsonl"),
        BatchOptions(tmp_path / "in.jsonl", Path("/dev/null")),
        BatchOptions(tmp_path / "in.jsonl", tmp_path / "no folder" / "out.jsonl"),
        BatchOptions(tmp_path / "in.jsonl", tmp_path / "out.jsonl", tmp_path / "in.jsonl"),
    ):
        with pytest.raises(UsageError):
            run(service.url, wrong)
    assert not service.asked


def test_a_service_that_is_gone_or_locked_ends_it_and_keeps_what_came(tmp_path):
    with serving() as service:
        write(tmp_path / "in.jsonl", *[f"good {number}" for number in range(8)], "locked", "good last")
        with pytest.raises(EngineError) as caught:
            run(service.url, options(tmp_path, concurrency=1))
        assert "LINGCTL_API_KEY" in caught.value.remedy and "8 of 10" in caught.value.remedy
        assert service.asked["good last"] == 0
    with pytest.raises(ConnectError):
        run(service.url, options(tmp_path))
    assert place_of(tmp_path / "out.jsonl").exists()


def test_a_service_that_only_fails_is_not_asked_for_ever(tmp_path, service):
    write(tmp_path / "in.jsonl", "good a", *[f"broken {number}" for number in range(100)])
    with pytest.raises(EngineError) as caught:
        run(service.url, options(tmp_path, concurrency=2))
    assert (
        caught.value.code == "batch-given-up" and "8 requests failed one after the other" in caught.value.what
    )
    assert len(service.asked) < 15
    # What failed for the service's reasons is asked again by the next run, what was answered is not.
    service.answer = lambda text, count: (200, {"choices": []}, {})  # type: ignore[method-assign]
    assert run(service.url, options(tmp_path)).answered == 101
    assert service.asked["good a"] == 1


def test_a_service_that_comes_back_is_waited_for(tmp_path):
    """Refused connections count for all requests together."""
    with serving() as service:
        write(tmp_path / "in.jsonl", "waits a", *[f"good {number}" for number in range(20)])
        asked = options(tmp_path, concurrency=2, retries=Retries(most=30, first=0.05, longest=0.1))
        given = judged_input(asked, ignore)
        ended: list[object] = []
        thread = threading.Thread(
            target=lambda: ended.append(batch(UrlService(endpoint_at(service.url)), given, asked, ignore))
        )
        thread.start()
        wait_until(lambda: service.asked["waits a"] == 1)
    host, port = service.url.removeprefix("http://").split(":")
    with _Server((host, int(port)), type("Handler", (_Handler,), {"service": service})) as again:
        threading.Thread(target=again.serve_forever, args=(0.05,), daemon=True).start()
        thread.join(60)
        again.shutdown()
    assert ended and ended[0].exit_status == 0


def test_only_one_writes_the_answers(tmp_path, service):
    asked = options(tmp_path)
    write(tmp_path / "in.jsonl", "good a")
    with batch_state(asked.output, judged_input(asked, ignore), ""), pytest.raises(LockedError):
        run(service.url, asked)
    assert run(service.url, asked).exit_status == 0


def test_without_a_service_there_has_to_be_a_cluster(tmp_path, service):
    write(tmp_path / "in.jsonl", "good a")
    with pytest.raises(UsageError) as caught:
        run(service.url, options(tmp_path, offline=True))
    assert caught.value.code == "offline-no-cluster" and not service.asked


def test_what_a_service_alone_can_do_is_told_line_by_line(tmp_path, service):
    rows = [row("a", "x", tools=[]), row("b", "y", logprobs=True), row("c", "z", top_p=0.5, stop=["."])]
    rows.append(
        {"custom_id": "d", "method": "POST", "url": "/v1/completions", "body": {"prompt": ["x", "y"]}}
    )
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in rows))
    with pytest.raises(ConfigurationError) as caught:
        judged_input(options(tmp_path, offline=True), ignore)
    told = caught.value.evidence.splitlines()
    assert [text.split(" is ")[0] for text in told] == [
        "line 1: 'tools'",
        "line 2: 'logprobs'",
        "line 4: prompt",
    ]
    assert judged_input(options(tmp_path), ignore).requests == 4


def lingctl(folder: Path, url: str, *more: str):
    words = ("batch", "in.jsonl", "-o", "out.jsonl", "--url", url, "--concurrency", "4", *more)
    return forked.start(*words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_what_was_answered_is_not_asked_again_after_it_was_ended(tmp_path, service, number: int):
    texts = [f"good {number}" for number in range(30)] + ["bad one"] + [f"waits {n}" for n in range(4)]
    texts += [f"good {number}" for number in range(30, 60)]
    write(tmp_path / "in.jsonl", *texts)
    with lingctl(tmp_path, service.url) as first:
        wait_until(
            lambda: sum(count for text, count in service.asked.items() if text.startswith("waits")) == 4
        )
        state = place_of(tmp_path / "out.jsonl")
        wait_until(lambda: state.read_bytes().count(b"\n") == 32)
        first.send_signal(number)
        _, said = first.communicate(timeout=60)
    assert first.returncode == (-number if number == signal.SIGKILL else 128 + number)
    if number != signal.SIGKILL:
        assert "31 of 65 requests are done and kept in out.jsonl.answers" in said
        assert "run the same command again" in said
    with state.open("ab") as torn:
        torn.write(b'64 a {"id": "batch_req_torn", "custom_id": "id-64", "resp')
    service.go_on.set()
    with lingctl(tmp_path, service.url) as second:
        _, said = second.communicate(timeout=60)
    assert second.returncode == 3, said
    assert "34 of 65 are left" in said
    for text in texts:
        assert service.asked[text] == (2 if text.startswith("waits") else 1), text
    good = [f"id-{n}" for n, text in enumerate(texts) if text != "bad one"]
    assert names(tmp_path / "out.jsonl") == good
    assert names(tmp_path / "out.errors.jsonl") == ["id-30"]
    assert not state.exists()


def test_a_changed_input_is_noticed_in_the_middle(tmp_path, service):
    write(tmp_path / "in.jsonl", "good a", "waits b")
    with lingctl(tmp_path, service.url) as first:
        state = place_of(tmp_path / "out.jsonl")
        wait_until(lambda: state.exists() and state.read_bytes().count(b"\n") == 2)
        first.kill()
    kept = state.read_bytes()
    write(tmp_path / "in.jsonl", "good a", "good c")
    with pytest.raises(ConfigurationError) as caught:
        run(service.url, options(tmp_path))
    assert caught.value.code == "batch-changed" and "in.jsonl has changed" in caught.value.what
    assert state.read_bytes() == kept and service.asked["good c"] == 0


def test_a_line_that_the_disk_lost_is_asked_again(tmp_path, service):
    """After a power failure there may be blocks of nothing in the middle."""
    write(tmp_path / "in.jsonl", "good a", "good b", "waits c")
    with lingctl(tmp_path, service.url) as first:
        state = place_of(tmp_path / "out.jsonl")
        wait_until(lambda: state.exists() and state.read_bytes().count(b"\n") == 3)
        wait_until(lambda: service.asked["waits c"] == 1)
        first.kill()
    head, one, two = state.read_bytes().splitlines(keepends=True)
    lost = one[0:1].decode()
    state.write_bytes(head + b"\0" * (len(one) - 1) + b"\n" + two)
    service.go_on.set()
    assert run(service.url, options(tmp_path)).exit_status == 0
    text = "good a" if lost == "0" else "good b"
    assert service.asked == {"good a": 1, "good b": 1, "waits c": 2} | {text: 2}
    assert names(tmp_path / "out.jsonl") == ["id-0", "id-1", "id-2"]


def test_a_full_disk_ends_it_and_what_was_written_counts(tmp_path, service, monkeypatch):
    from lingctl.flows.serve.batch import state as room

    write(tmp_path / "in.jsonl", *[f"good {number}" for number in range(20)])
    left = 3_000
    real = room.os.pwrite

    def pwrite(descriptor: int, data: bytes, place: int) -> int:
        nonlocal left
        if left <= 0:
            raise OSError(28, "No space left on device")
        written = real(descriptor, data[:left], place)
        left -= written
        return written

    monkeypatch.setattr(room.os, "pwrite", pwrite)
    with pytest.raises(Exception) as caught:
        run(service.url, options(tmp_path, concurrency=1))
    assert caught.value.code == "disk-full"
    whole = place_of(tmp_path / "out.jsonl").read_bytes().splitlines()
    assert all(json.loads(line.split(b" ", 2)[2]) for line in whole[1:]) and len(whole) > 3
    left = 1 << 30
    assert run(service.url, options(tmp_path)).exit_status == 0
    assert max(service.asked.values()) == 2 and sum(service.asked.values()) == 21


def test_progress_is_told_and_the_report_is_a_document(tmp_path, service):
    write(tmp_path / "in.jsonl", "good a", "bad b")
    with lingctl(tmp_path, service.url, "--json") as process:
        out, said = process.communicate(timeout=60)
    document = json.loads(out)
    assert document["document"] == "batch" and document["answered"] == 1
    assert document["tokens_per_second"] > 0 and document["troubles"][0]["kind"] == "HTTP 400"
    assert "batch … 2 requests" in said and "batch done 2 requests, 1 not answered" in said


def test_memory_does_not_grow_with_the_file(tmp_path, service):
    """Most of them were answered before: all is read, taken over and put in order."""
    peaks = []
    for count in (200, 12_000):
        folder = tmp_path / str(count)
        folder.mkdir()
        write(folder / "in.jsonl", *[f"good {number} {'x' * 900}" for number in range(count)])
        asked = options(folder)
        given = judged_input(asked, ignore)
        with batch_state(asked.output, given, "") as state:
            body = json.dumps({"id": "x", "custom_id": "y", "response": {"body": "z" * 900}}).encode()
            for number in range(count - 100):
                state.take(number, body + b"\n")
        with lingctl(folder, service.url) as process:
            _, said = process.communicate(timeout=300)
            assert process.returncode == 0, said
            peaks.append(process.peak_mb)
        assert len((folder / "out.jsonl").read_bytes().splitlines()) == count
    assert peaks[1] - peaks[0] < 6, peaks
