"""The documents as a site: `make site` builds it into .site, from the Markdown as it stands.

Nothing is loaded from elsewhere, and the search runs in the browser, so that the folder works from a disk. A
link or an anchor that leads nowhere ends the build (-W).
"""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

project = "lingctl"
html_title = "lingctl"
project_copyright = "lingctl contributors"
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/**.md"]
html_theme = "furo"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": []}
html_search_language = "en-zh"
html_static_path = ["static"]
html_css_files = ["narrow.css"]
myst_heading_anchors = 4
# Blocks without a language are what a terminal shows.
highlight_language = "none"
# What is between quotes or has two dashes is often typed.
smartquotes = False
# Samples with an ellipsis in them are no JSON.
suppress_warnings = ["misc.highlighting_failure"]

# What the side shows, in this order; every document is in it, or the build ends.
CONTENTS = {
    "Begin": [
        "README", "docs/install", "docs/sites", "docs/from-the-ling-readme", "docs/how-to/sandbox",
        "docs/how-to/air-gapped",
    ],
    "Set up": [
        "docs/how-to/ssh", "docs/how-to/network", "docs/how-to/weights", "docs/how-to/convert",
        "docs/how-to/containers", "docs/how-to/render", "docs/how-to/engines", "docs/capacity",
        "docs/overlay", "docs/how-to/long-context", "docs/how-to/transformers",
    ],
    "Run": [
        "docs/how-to/operate", "docs/how-to/screens", "docs/how-to/smoke-test", "docs/how-to/prove",
        "docs/how-to/accept", "docs/how-to/bench", "docs/how-to/chat", "docs/how-to/batch",
        "docs/how-to/from-python",
    ],
    "Help": ["docs/troubleshooting", "docs/upgrade", "docs/uninstall", "docs/faq", "docs/glossary"],
    "中文": ["docs/zh/README", "docs/zh/install", "docs/zh/troubleshooting"],
    "Look up": [
        "docs/reference/commands", "docs/reference/errors", "docs/reference/failures",
        "docs/reference/mindie-rules", "docs/start", "docs/hardware", "docs/performance",
        "CHANGELOG",
    ],
    "Inside": ["docs/architecture", "docs/decisions", "docs/engines", "SECURITY", "CONTRIBUTING"],
}  # fmt: skip
_CHINESE = "㐀-鿿"
# The site's first address; the pages lie as in the repository, so that links are the same in both.
_FIRST = '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url=docs/index.html">\n'


class EnglishAndChinese(SearchEnglish):
    """English by words; Chinese, which has no blanks, by pairs of neighbours, here and in the browser."""

    lang = "en-zh"
    js_splitter_code = f"""
function splitQuery(query) {{
  const words = [];
  for (const word of query.match(/[{_CHINESE}]+|[^\\s{_CHINESE}]+/gu) || []) {{
    if (!/[{_CHINESE}]/u.test(word)) words.push(...(word.match(/[\\p{{L}}\\p{{N}}_]+/gu) || []));
    else if (word.length === 1) words.push(word);
    else for (let at = 0; at + 1 < word.length; at++) words.push(word.slice(at, at + 2));
  }}
  return words;
}}
"""

    def split(self, input: str) -> list[str]:
        """The words of a text, as ``splitQuery`` finds them."""
        found: list[str] = []
        for word in re.findall(rf"[{_CHINESE}]+|[^\W{_CHINESE}]+", input):
            pairs = [word[at : at + 2] for at in range(len(word) - 1)]
            found += [*word, *pairs] if re.match(f"[{_CHINESE}]", word) else [word]
        return found


def _with_contents(app: Sphinx, document: str, source: list[str]) -> None:
    """Put the contents, which the Markdown does not have, behind the first page."""
    if document == root_doc:
        for title, pages in CONTENTS.items():
            names = "\n".join(f"/{page}" for page in pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n{names}\n```\n"


def _in_its_language(app: Sphinx, page: str, template: str, context: dict, tree: nodes.Node | None) -> None:
    context["language"] = "zh" if page.startswith("docs/zh/") else "en"


def _first_address(app: Sphinx, error: Exception | None) -> None:
    if error is None:
        (Path(app.outdir) / "index.html").write_text(_FIRST, encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_search_language(EnglishAndChinese)
    app.connect("source-read", _with_contents)
    app.connect("html-page-context", _in_its_language)
    app.connect("build-finished", _first_address)
