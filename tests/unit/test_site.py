"""The documents as a site (`make site`): every page is in its contents, and it builds without a warning."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SPHINX = CHECKOUT / ".venv-site/bin/sphinx-build"
CONF = (CHECKOUT / "site/conf.py").read_text(encoding="utf-8")


def assigned(name: str) -> object:
    """What conf.py assigns, which cannot be imported without Sphinx."""
    (value,) = (
        node.value
        for node in ast.parse(CONF).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name
    )
    return ast.literal_eval(value)


def test_the_contents_hold_every_page_once() -> None:
    listed = [page for pages in assigned("CONTENTS").values() for page in pages]
    *single, below = assigned("include_patterns")
    assert below == "docs/**.md"
    wanted = [*(CHECKOUT / name for name in single), *(CHECKOUT / "docs").rglob("*.md")]
    names = {str(page.relative_to(CHECKOUT).with_suffix("")) for page in wanted}
    assert sorted([*listed, assigned("root_doc")]) == sorted(names)


@pytest.mark.skipif(not SPHINX.exists(), reason="no Sphinx here: make site installs it, and builds the site")
def test_the_site_builds_without_a_warning_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    options = ["-q", "-W", "--keep-going", "-n", "-b", "html", "-c", "site", "-d", str(tmp_path / "doctrees")]
    done = subprocess.run(
        [SPHINX, *options, ".", str(tmp_path / "site")],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    loads = r"""<(?:script|img|iframe|link)\b[^>]*(?:src|href)=["'](?:https?:)?//"""
    for page in (tmp_path / "site").rglob("*.html"):
        assert not re.search(loads, page.read_text(encoding="utf-8")), page
    for sheet in (tmp_path / "site/_static").rglob("*.css"):
        assert not re.search(
            r"(?:@import|url\()\s*[\"']?(?:https?:)?//", sheet.read_text(encoding="utf-8")
        ), sheet
    assert "splitQuery" in (tmp_path / "site/_static/language_data.js").read_text(encoding="utf-8")
