import pytest

from lingctl.errors import EngineError
from lingctl.serving.client import Generation
from lingctl.serving.http import Answer
from lingctl.serving.readiness import Readiness, decide, missing, wait_until_ready
from lingctl.serving.trouble import Trouble

TOKENS = Generation("Hi", "stop", None, 0.1)
HEALTHY = Answer(200, {}, b"", 0.0)
REFUSED = Trouble("refused", "connection refused")


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.mark.parametrize(
    ("health", "generation", "state"),
    [
        (HEALTHY, TOKENS, "ready"),
        (None, TOKENS, "ready"),
        (REFUSED, TOKENS, "ready"),  # management may listen on the node's loopback only
        (REFUSED, REFUSED, "loading"),
        (HEALTHY, Generation("", "stop", None, 0.1), "no tokens"),
        (HEALTHY, Trouble("http", "engine", 500), "no tokens"),
        (HEALTHY, Trouble("timeout", "silent"), "no tokens"),
        (HEALTHY, Trouble("http", "Model not found", 422), "misconfigured"),
        (HEALTHY, Trouble("tls", "self-signed certificate"), "misconfigured"),
        (Answer(503, {}, b"", 0.0), TOKENS, "warming up"),
        (Answer(503, {}, b'{"message":"Service is alive but busy."}', 0.0), TOKENS, "busy"),
        (Answer(500, {}, b'{"message":"Abnormal node detected"}', 0.0), TOKENS, "abnormal"),
    ],
)
def test_the_state_follows_from_health_and_generation(health, generation, state):
    assert decide(health, lambda: generation).state == state


def test_nothing_is_generated_while_health_says_no():
    def generate():
        raise AssertionError("asked")

    assert decide(Answer(503, {}, b"", 0.0), generate).state == "warming up"


def test_waits_through_loading_and_tells_each_change_once():
    states = iter([Readiness("loading", "a")] * 3 + [Readiness("busy", "b"), Readiness("ready", "c")])
    heard = []
    ready = wait_until_ready(lambda: next(states), seconds=60, listener=heard.append, clock=Clock())
    assert ready.state == "ready"
    assert [event.state for event in heard] == ["progress", "progress", "done"]


def test_the_wait_ends_in_time():
    clock = Clock()
    with pytest.raises(EngineError, match="not ready after 30 s"):
        wait_until_ready(lambda: Readiness("loading", "refused"), seconds=30, clock=clock)
    assert clock.now <= 30


def test_what_waiting_cannot_mend_ends_it_at_once():
    clock = Clock()
    with pytest.raises(EngineError) as caught:
        wait_until_ready(lambda: Readiness("misconfigured", "HTTP 401"), seconds=900, clock=clock)
    assert clock.now == 0
    assert caught.value.evidence == "HTTP 401"


def test_a_dead_daemon_ends_it_at_once():
    def dead():
        raise EngineError("the daemon died")

    with pytest.raises(EngineError, match="died"):
        wait_until_ready(lambda: Readiness("ready", ""), seconds=9, still_alive=dead, clock=Clock())


def test_missing_says_what_is_missing():
    assert missing(lambda: Readiness("ready", "")) == ""
    assert missing(lambda: Readiness("loading", "refused")) == "loading: refused"
    with pytest.raises(EngineError):
        missing(lambda: Readiness("misconfigured", "401"))
