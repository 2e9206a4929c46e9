"""The code of docs/how-to/transformers.md, run as it stands there, answers what the tiny model was taught.

Needs an environment of its own and Ling's published code: ``make quick-start LING=DIR``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lingctl.sandbox.engine.tiny_models.checkpoint import make_checkpoint
from lingctl.sandbox.engine.tiny_models.lessons import lessons

PAGE = Path(__file__).parents[2] / "docs/how-to/transformers.md"
PUBLISHED = 'model_name = "inclusionAI/Ling-lite-1.5"'
LING, PYTHON, LATER = "LINGCTL_LING", "LINGCTL_TRANSFORMERS", "LINGCTL_TRANSFORMERS_5"
QUESTION = "Give me a short introduction to large language models."


def page_code() -> str:
    return re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]


def interpreter(variable: str) -> str:
    named = os.environ.get(variable)
    if not named:
        pytest.skip(f"{variable} names no Python with Transformers (make quick-start)")
    return str(Path(named).absolute())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    checkout = os.environ.get(LING)
    if not checkout:
        pytest.skip(f"{LING} names no checkout of inclusionAI/Ling (make quick-start)")
    folder = tmp_path_factory.mktemp("model") / "Ling_lite"
    make_checkpoint(folder, "lite", "safetensors")
    for name in ("configuration_bailing_moe.py", "modeling_bailing_moe.py"):
        shutil.copy(Path(checkout) / "models" / name, folder)
    return folder


def run(python: str, code: str, model: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder / "quick.py"
    script.write_text(code.replace(PUBLISHED, f"model_name = {str(model)!r}"))
    offline = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(folder / "cache"), "OMP_NUM_THREADS": "2"}
    return subprocess.run(
        [python, script],
        env={**os.environ, **offline},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_the_page_has_the_code_that_is_run():
    """Also where the rest is not asked for."""
    code = page_code()
    compile(code, str(PAGE), "exec")
    assert PUBLISHED in code and QUESTION in code
    assert code.count("trust_remote_code=True") == 2


def test_the_code_of_the_page_gives_the_right_answer(model, tmp_path):
    done = run(interpreter(PYTHON), page_code(), model, tmp_path)
    taught = next(answer for prompt, answer in lessons() if QUESTION in prompt)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == taught


def test_without_trust_in_the_models_code_it_ends_as_the_page_says(model, tmp_path):
    """The tokenizer alone does not need it: its class is Transformers' own."""
    tokenizer, before, after = page_code().split(", trust_remote_code=True")
    done = run(interpreter(PYTHON), f"{tokenizer}{before}{after}", model, tmp_path)
    assert done.returncode and "trust_remote_code=True" in done.stderr


def test_transformers_5_ends_as_the_page_says(model, tmp_path):
    done = run(interpreter(LATER), page_code(), model, tmp_path)
    assert done.returncode and "is_torch_fx_available" in done.stderr
