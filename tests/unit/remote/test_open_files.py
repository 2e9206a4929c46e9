"""A process may open as many files as it needs, as far as the machine lets it."""

from __future__ import annotations

import resource

import pytest

from lingctl.remote.open_files import allow_open_files


@pytest.mark.parametrize(
    ("soft", "hard", "allowed"), [(1024, 4096, 2048), (1024, 1500, 1500), (4096, 4096, 2048)]
)
def test_the_soft_limit_is_raised_as_far_as_the_hard_one_lets(monkeypatch, soft, hard, allowed):
    limits = [(soft, hard)]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    assert allow_open_files(2048) == allowed
    assert limits[-1] == (max(soft, allowed), hard)
