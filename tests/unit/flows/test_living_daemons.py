"""Before and after a service is asked for text every node's daemon is seen, and no more often than that."""

from __future__ import annotations

import threading
import time

import pytest

from lingctl.errors import EngineError
from lingctl.flows.change.prove import _FRESH_SECONDS, _LivingDaemons
from lingctl.flows.look.daemon import DaemonSight, DaemonSights

ALIVE, LOADING = DaemonSight(True, "", "", succeeded=True), DaemonSight(True, "", "")


class Looks:
    """Counts them, and finds a daemon dead at those of these numbers."""

    def __init__(self, *dead_at: int) -> None:
        self.made = 0
        self._dead_at = dead_at

    def __call__(self) -> None:
        self.made += 1
        if self.made in self._dead_at:
            raise EngineError(f"dead at look {self.made}")


def seen(*sights: DaemonSight, ago: float = 0.0) -> DaemonSights:
    return DaemonSights({f"node{n}": sight for n, sight in enumerate(sights)}, time.monotonic() - ago)


@pytest.mark.parametrize(
    ("sights", "ago", "looks"),
    [((ALIVE, ALIVE), 0, 0), ((ALIVE, LOADING), 0, 1), ((ALIVE,), _FRESH_SECONDS + 1, 1)],
)
def test_a_look_of_a_moment_ago_is_enough_and_no_other_is(
    sights: tuple[DaemonSight, ...], ago: float, looks: int
) -> None:
    look = Looks()
    _LivingDaemons(look, seen(*sights, ago=ago)).need()
    assert look.made == looks


def test_a_look_is_enough_for_one_question() -> None:
    look = Looks(1)
    daemons = _LivingDaemons(look, seen(ALIVE))
    daemons.need()
    with pytest.raises(EngineError, match="look 1"):
        daemons.need()


def test_what_is_found_while_health_is_asked_is_told() -> None:
    look = Looks(1)
    daemons = _LivingDaemons(look, seen(ALIVE))
    daemons.look()
    with pytest.raises(EngineError, match="look 1"):
        daemons.need()
    daemons.look()
    daemons.need()
    assert look.made == 2


def test_a_look_that_still_runs_is_waited_for() -> None:
    goes_on, ended = threading.Event(), threading.Event()

    def look() -> None:
        assert goes_on.wait(60)

    daemons = _LivingDaemons(look, None)
    daemons.look()
    waiting = threading.Thread(target=lambda: (daemons.need(), ended.set()))
    waiting.start()
    assert not ended.is_set()
    goes_on.set()
    waiting.join(60)
    assert ended.is_set()


def test_a_look_of_long_ago_is_followed_by_another() -> None:
    look = Looks(2)
    daemons = _LivingDaemons(look, None)
    daemons.look()
    daemons._seen_at -= _FRESH_SECONDS + 1
    with pytest.raises(EngineError, match="look 2"):
        daemons.need()
