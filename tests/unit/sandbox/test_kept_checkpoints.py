"""A tiny checkpoint is made once, and copied where the same is asked for again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lingctl.sandbox.engine.tiny_models import kept
from lingctl.sandbox.engine.tiny_models.checkpoint import TinyForm, TinyModel
from lingctl.sandbox.engine.tiny_models.kept import kept_checkpoint


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was made and not copied; the cache is in a folder of the test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    done: list[str] = []

    def make(directory: Path, model: str, form: str, **_: Any) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "config.json").write_text(f"{model} {form}")
        done.append(f"{model} {form}")

    monkeypatch.setattr(kept, "make_checkpoint", make)
    return done


def kept_names(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache/lingctl/tiny-models").iterdir())


def test_the_same_is_made_once_and_copies_are_ones_own(made: list[str], tmp_path: Path) -> None:
    for name in ("first", "second"):
        kept_checkpoint(tmp_path / name, "lite", "bin", ranks=2)
        assert (tmp_path / name / "config.json").read_text() == "lite bin"
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o777 & ~_umask()
        (tmp_path / name / "config.json").write_text("spoilt")
    assert made == ["lite bin"]


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_other_models_forms_widths_and_makers_are_others(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    others: tuple[tuple[TinyModel, TinyForm], ...] = (
        ("lite", "bin"),
        ("lite", "safetensors"),
        ("plus", "bin"),
    )
    for model, form in others:
        kept_checkpoint(tmp_path / f"{model}{form}", model, form)
    kept_checkpoint(tmp_path / "wide", "lite", "bin", ranks=32)
    monkeypatch.setattr(kept, "_made_of", lambda: "other code")
    kept_checkpoint(tmp_path / "newer", "lite", "bin")
    assert made == ["lite bin", "lite safetensors", "plus bin", "lite bin", "lite bin"]
    assert len(kept_names(tmp_path)) == 5


@pytest.mark.parametrize("why", ["a file", "no home"])
def test_without_a_cache_it_is_made_all_the_same(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    if why == "a file":
        (tmp_path / "cache").write_text("in the way")
    else:
        monkeypatch.delenv("XDG_CACHE_HOME")

        def nowhere() -> Path:
            raise RuntimeError("Could not determine home directory.")

        monkeypatch.setattr(Path, "home", nowhere)
    kept_checkpoint(tmp_path / "one", "plus", "safetensors")
    assert (tmp_path / "one/config.json").read_text() == "plus safetensors"
    assert made == ["plus safetensors"]


def test_what_is_half_made_is_not_kept(
    made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(directory: Path, *_: object, **__: object) -> None:
        directory.mkdir()
        (directory / "config.json").write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setattr(kept, "make_checkpoint", full)
    with pytest.raises(KeyboardInterrupt):
        kept_checkpoint(tmp_path / "one", "plus", "bin")
    assert kept_names(tmp_path) == []


def test_what_nobody_asked_for_in_a_month_is_taken_away(made: list[str], tmp_path: Path) -> None:
    kept_checkpoint(tmp_path / "one", "plus", "bin")
    (old,) = kept_names(tmp_path)
    os.utime(tmp_path / "cache/lingctl/tiny-models" / old, (1, 1))
    kept_checkpoint(tmp_path / "two", "lite", "bin")
    assert old not in kept_names(tmp_path) and len(kept_names(tmp_path)) == 1
