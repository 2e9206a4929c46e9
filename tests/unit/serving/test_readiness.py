import pytest

from lingctl.errors import EngineError
from lingctl.serving.http.answers import Piece
from lingctl.serving.http.client import ModelList
from lingctl.serving.http.exchange import HttpResponse
from lingctl.serving.readiness import (
    Readiness,
    decide,
    settled_health,
    wait_until_ready,
)
from lingctl.serving.trouble import ExchangeTrouble, http_trouble

TOKENS = Piece("Hi", "stop", seconds=0.1)
HEALTHY = HttpResponse(200, {}, b"", 0.0)
REFUSED = ExchangeTrouble("refused", "connection refused")


class Clock:
    def __init__(self):
        self.now = 0.0

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


LISTED = ModelList(("bailing_moe",), "MindIE Server")


def answer(status, text=""):
    return HttpResponse(status, {}, text.encode(), 0.0)


# 3.0.0, as recorded: in the first five seconds, when busy (read in its source), and after a SIGTERM.
ABNORMAL = answer(500, '{"message":"Service is abnormal"}')
BUSY = answer(503, '{"message":"Service is alive but busy. Consider reducing request frequency"}')
STOPPING = answer(503)
STOPPED_ENGINE = http_trouble(
    500,
    b'{"error":"Failed to enqueue inferRequest. Engine has been stopped. Cannot add request.",'
    b'"error_type":"Incomplete Generation"}',
)


@pytest.mark.parametrize(
    ("listed", "generation", "health", "state"),
    [
        (LISTED, TOKENS, HEALTHY, "ready"),
        (LISTED, TOKENS, None, "ready"),
        (LISTED, TOKENS, REFUSED, "ready"),  # management may listen on the node's loopback only
        (ExchangeTrouble("http", "", 404), TOKENS, HEALTHY, "ready"),
        (REFUSED, None, None, "loading"),
        (ExchangeTrouble("tls", "self-signed certificate"), None, None, "misconfigured"),
        (ExchangeTrouble("closed", "closed on the node, behind a tunnel"), None, None, "loading"),
        (LISTED, ExchangeTrouble("closed", "a worker died"), None, "no tokens"),
        (LISTED, Piece("", "stop", seconds=0.1), None, "no tokens"),
        (LISTED, Piece("", "length", seconds=0.1, reasoning="The user"), HEALTHY, "ready"),
        (LISTED, ExchangeTrouble("http", "engine", 500), None, "no tokens"),
        (LISTED, ExchangeTrouble("timeout", "silent"), None, "no tokens"),
        (
            LISTED,
            ExchangeTrouble("http", "Engine callback timeout: server e2eTimeout", 500),
            None,
            "no tokens",
        ),
        (LISTED, ExchangeTrouble("http", "Failed to generate infer request", 424), None, "no tokens"),
        (LISTED, ExchangeTrouble("http", "Model not found", 422), None, "misconfigured"),
        (LISTED, ExchangeTrouble("http", "temperature must be float type.", 422), None, "misconfigured"),
        (LISTED, ExchangeTrouble("http", "Cannot find available tokenizer.", 422), None, "busy"),
        (LISTED, ExchangeTrouble("http", "Tokenizer encode wait sub process timeout.", 422), None, "busy"),
        (LISTED, STOPPED_ENGINE, None, "stopping"),
        (LISTED, TOKENS, STOPPING, "stopping"),
        (LISTED, TOKENS, BUSY, "busy"),
        (LISTED, TOKENS, ABNORMAL, "abnormal"),
        (LISTED, TOKENS, answer(500, '{"message":"Abnormal node detected"}'), "abnormal"),
    ],
)
def test_the_state_follows_from_models_generation_and_health(listed, generation, health, state):
    assert decide(lambda: listed, lambda: generation, lambda: health).state == state


def test_health_is_not_asked_before_text_came():
    """Each poll of it in the first seconds leaves an ERROR line in MindIE's console."""

    def ask():
        raise AssertionError("asked")

    assert decide(lambda: REFUSED, ask, ask).state == "loading"
    assert decide(lambda: LISTED, lambda: REFUSED, ask).state == "no tokens"


def test_health_that_is_abnormal_for_the_first_seconds_is_asked_again():
    clock = Clock()
    asked = []

    def ask():
        asked.append(clock.now)
        return ABNORMAL if clock.now < 5 else HEALTHY

    assert settled_health(ask, clock) is HEALTHY
    assert asked == [0, 5]


def test_health_that_stays_abnormal_is_believed_in_the_end():
    clock = Clock()
    assert settled_health(lambda: ABNORMAL, clock) is ABNORMAL
    assert clock.now == 15


@pytest.mark.parametrize(
    "told", [HEALTHY, STOPPING, BUSY, REFUSED, None, answer(500, "Abnormal node detected")]
)
def test_any_other_word_of_health_is_taken_at_once(told):
    clock = Clock()
    assert settled_health(lambda: told, clock) is told
    assert clock.now == 0


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


def test_a_node_lost_during_the_last_probe_is_not_overlooked():
    looks = iter([None, EngineError("node2's daemon died")])

    def look():
        lost = next(looks)
        if lost:
            raise lost

    with pytest.raises(EngineError, match="node2"):
        wait_until_ready(lambda: Readiness("ready", ""), seconds=9, still_alive=look, clock=Clock())


@pytest.mark.parametrize(
    ("generation", "listed", "state"),
    [
        (TOKENS, None, "ready"),
        (ExchangeTrouble("http", "Model not found", 422), None, "misconfigured"),
        (STOPPED_ENGINE, None, "stopping"),
        (REFUSED, REFUSED, "loading"),
        (ExchangeTrouble("tls", "self-signed"), ExchangeTrouble("tls", "self-signed"), "misconfigured"),
        (ExchangeTrouble("closed", "a worker died"), LISTED, "no tokens"),
        (ExchangeTrouble("timeout", "silent"), LISTED, "no tokens"),
        (ExchangeTrouble("timeout", "silent"), ExchangeTrouble("timeout", "silent"), "loading"),
    ],
)
def test_one_that_loaded_is_asked_for_its_models_only_where_no_answer_came(generation, listed, state):
    def models():
        assert listed is not None, "asked"
        return listed

    assert decide(models, lambda: generation, lambda: HEALTHY, loaded=True).state == state
