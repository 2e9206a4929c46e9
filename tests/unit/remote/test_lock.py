"""The lock on the primary, on a real file system: taken once, taken over from the dead, given back."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from lingctl.errors import NodeError
from lingctl.remote import lock
from lingctl.remote.local import LocalConnection

primary = LocalConnection("node1")


@pytest.fixture
def state(tmp_path: Path) -> str:
    return str(tmp_path / "ling")


def age(state: str, seconds: int) -> None:
    (held,) = (Path(state) / "lock").iterdir()
    then = time.time() - seconds
    os.utime(held, (then, then))


def test_the_second_is_told_who_the_first_is(state: str):
    first = lock.me("lingctl deploy")
    assert lock.take(primary, state, first) is None
    holder = lock.take(primary, state, lock.me("lingctl stop"))
    assert holder is not None
    assert (holder.token, holder.command, holder.pid) == (first.token, "lingctl deploy", os.getpid())
    assert "lingctl deploy by " in holder.description
    assert holder.quiet < 5


def test_it_is_free_after_it_was_given_back(state: str):
    first = lock.me("lingctl deploy")
    lock.take(primary, state, first)
    lock.release(primary, state, first.token)
    assert lock.show(primary, state) is None
    assert lock.take(primary, state, lock.me("lingctl stop")) is None


@pytest.mark.parametrize("odd", ["file", "link to nowhere", "link to a folder"])
def test_what_lies_in_the_place_of_the_lock_and_is_no_folder_is_told(state: str, odd: str, tmp_path: Path):
    place = Path(state) / "lock"
    place.parent.mkdir()
    if odd == "file":
        place.touch()
    else:
        place.symlink_to(tmp_path if odd == "link to a folder" else tmp_path / "nowhere")
    for ask in (
        lambda: lock.show(primary, state),
        lambda: lock.take(primary, state, lock.me("lingctl stop")),
    ):
        with pytest.raises(NodeError) as told:
            ask()
        assert told.value.code == "lock-failed" and f"{place} is no folder" in told.value.evidence


def test_a_lock_that_cannot_be_looked_at_is_not_free(state: str):
    Path(state).mkdir()
    assert lock.show(primary, state) is None
    (Path(state) / "lock").symlink_to("lock")
    with pytest.raises(NodeError) as told:
        lock.show(primary, state)
    assert told.value.code == "lock-failed" and "Too many levels" in told.value.evidence


def test_of_many_at_once_one_gets_it(state: str):
    contenders = [lock.me(f"lingctl {n}") for n in range(16)]
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda mine: lock.take(primary, state, mine), contenders))
    assert outcomes.count(None) == 1
    winner = contenders[outcomes.index(None)]
    assert {o.token for o in outcomes if o is not None} == {winner.token}


def test_of_many_that_find_a_dead_holder_one_takes_it_over(state: str):
    lock.take(primary, state, replace(lock.me("lingctl deploy"), machine="another"))
    age(state, lock.PATIENCE_SECONDS + 5)
    contenders = [lock.me(f"lingctl {n}") for n in range(16)]
    with ThreadPoolExecutor(16) as pool:
        outcomes = list(pool.map(lambda mine: lock.take(primary, state, mine), contenders))
    assert outcomes.count(None) == 1
    holder = lock.show(primary, state)
    assert holder is not None and holder.token == contenders[outcomes.index(None)].token


def test_silence_alone_is_not_death_before_its_time(state: str):
    lock.take(primary, state, replace(lock.me("lingctl deploy"), machine="another"))
    age(state, lock.PATIENCE_SECONDS - 15)
    holder = lock.take(primary, state, lock.me("lingctl stop"))
    assert holder is not None and not holder.is_gone


def _take_and_die(state: str) -> None:
    lock.take(primary, state, lock.me("lingctl deploy"))
    os.kill(os.getpid(), 9)


def test_a_holder_killed_on_this_machine_is_known_to_be_gone_at_once(state: str):
    process = multiprocessing.get_context("spawn").Process(target=_take_and_die, args=(state,))
    process.start()
    process.join()
    held = lock.show(primary, state)
    assert held is not None and held.is_gone
    assert lock.take(primary, state, lock.me("lingctl stop")) is None


def test_a_holder_that_lost_it_is_told(state: str):
    first, second = replace(lock.me("one"), machine="another"), lock.me("two")
    lock.take(primary, state, first)
    assert lock.beat(primary, state, first)
    age(state, lock.PATIENCE_SECONDS + 5)
    assert lock.take(primary, state, second) is None
    assert not lock.beat(primary, state, first)
    assert lock.beat(primary, state, second)
    lock.release(primary, state, first.token)
    assert lock.beat(primary, state, second)


def test_a_sign_of_life_keeps_it(state: str):
    first = replace(lock.me("one"), machine="another")
    lock.take(primary, state, first)
    age(state, lock.PATIENCE_SECONDS + 5)
    assert lock.beat(primary, state, first)
    assert lock.take(primary, state, lock.me("two")) is not None


def test_what_a_killed_taker_left_is_in_nobodys_way(state: str):
    (Path(state) / "lock").mkdir(parents=True)
    assert lock.take(primary, state, lock.me("one")) is None


def test_an_unreadable_record_is_a_holder_all_the_same(state: str):
    first = lock.me("one")
    lock.take(primary, state, first)
    (Path(state) / "lock" / first.token).write_text("")
    holder = lock.take(primary, state, lock.me("two"))
    assert holder is not None and holder.who == "unknown"
    age(state, lock.PATIENCE_SECONDS + 5)
    assert lock.take(primary, state, lock.me("two")) is None


def test_a_full_disk_is_not_a_held_lock(tmp_path: Path):
    full = tmp_path / "full"
    full.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k,nr_inodes=2", "none", str(full)]).returncode:
        pytest.skip("no file system may be mounted here")
    try:
        with pytest.raises(NodeError) as caught:
            lock.take(primary, str(full / "ling"), lock.me("one"))
    finally:
        subprocess.run(["umount", str(full)], check=True)
    assert caught.value.code == "lock-failed"
    assert "No space left" in caught.value.evidence


def test_an_answer_that_makes_no_sense_is_not_a_free_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(lock, "_SHOW", "echo Welcome")
    with pytest.raises(NodeError) as caught:
        lock.show(primary, str(tmp_path))
    assert (caught.value.code, caught.value.evidence) == ("lock-failed", "Welcome")
