"""What all pages share: one style sheet, one way to show a table, a verdict and findings; all is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from lingctl.findings import Finding, folded, worst_first
from lingctl.flows.run.page_file import generator
from lingctl.output.screen.harmless import harmless
from lingctl.serving.bench.chart import Chart, svg

_LONGEST = 2_000
_STYLE = """
:root{--ink:#1f2328;--dim:#57606a;--line:#d0d7de}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,"Noto Sans CJK SC","Microsoft YaHei",sans-serif;color:var(--ink);margin:0 auto;
max-width:70rem;padding:2rem 1.25rem}
h1{font-size:1.7rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;border-bottom:1px solid var(--line)}
h3{font-size:1rem;margin:1.2rem 0 .3rem}p{margin:.3rem 0}.dim{color:var(--dim)}
.scroll{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.93rem}
th,td{text-align:left;vertical-align:top;padding:.32rem .9rem .32rem 0;border-bottom:1px solid var(--line);
overflow-wrap:break-word}th{color:var(--dim);font-weight:600;white-space:nowrap}td.n{white-space:nowrap}
td.w{min-width:14rem;overflow-wrap:anywhere}
code,pre{font:.86em ui-monospace,Consolas,monospace;overflow-wrap:anywhere;white-space:pre-wrap}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1.2rem;margin:1rem 0}
dt{color:var(--dim)}dd{margin:0;overflow-wrap:anywhere}
.v{display:inline-block;border:1.5px solid;border-radius:.3rem;padding:0 .45rem;font-weight:600;
white-space:nowrap}
.pass,.note{color:#1a7f37}.warning{color:#9a6700}.failure{color:#cf222e}
.unknown,.skipped,.not-reached{color:#57606a}.whole{font-size:1.15rem;margin:.8rem 0}
.cells{display:flex;flex-wrap:wrap;gap:1rem 2rem;margin-top:1rem}.cells table,table.mesh{width:auto}
.mesh th,.mesh td{padding:.1rem .3rem;text-align:center;border:1px solid var(--line);min-width:1.7em}
.mesh th{color:var(--dim)}.mesh td.own{background:var(--line)}
.mesh .whole{background:#dafbe1;font-size:inherit;margin:0}.mesh .part{background:#fff1c2}
.mesh .none{background:#ffcecb;font-weight:700}.mesh .unread{background:#eddeff}
details{margin:.5rem 0}summary{cursor:pointer;font-weight:600}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(26rem,100%),1fr));gap:1rem}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#57606a}
.sign{display:grid;grid-template-columns:repeat(3,1fr);gap:2rem;margin-top:3rem}
.sign div{border-top:1px solid var(--ink);padding-top:.3rem;color:var(--dim);font-size:.85rem}
@media(max-width:40rem){dl{grid-template-columns:1fr}dt{margin-top:.4rem}.wide{display:none}
.stack th{display:none}.stack td{display:block;border:0;padding:.1rem 0}
.stack tr{display:block;border-bottom:1px solid var(--line);padding:.4rem 0}.stack td:empty{display:none}}
@media print{@page{size:A4;margin:16mm 14mm}body{max-width:none;padding:0;font-size:10.5pt}
h2{break-after:avoid}tr,svg,.sign{break-inside:avoid}.scroll{overflow:visible}}
"""

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Markup:
    """Text that is HTML already: made here, of escaped parts."""

    html: str


def safe(value: object) -> str:
    """A value as HTML: what is no markup of ours is escaped, and obeyed by nothing."""
    return value.html if isinstance(value, Markup) else html.escape(harmless(str(value), _LONGEST))


def head(title: str, language: str, by: str) -> str:
    """The beginning of a page, by one of our verbs; ``</html>`` is its end."""
    return (
        f'<!doctype html><html lang="{safe(language)}"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"{generator(by)}"
        f"<title>{safe(title)}</title><style>{_STYLE}</style><h1>{safe(title)}</h1>"
    )


def listed(pairs: Iterable[tuple[str, object]]) -> str:
    """Names and their values."""
    return "<dl>" + "".join(f"<dt>{safe(name)}</dt><dd>{safe(value)}</dd>" for name, value in pairs) + "</dl>"


def table(
    titles: Sequence[object],
    rows: Iterable[Sequence[object]],
    classes: Sequence[str] = (),
    *,
    stacked: bool = False,
) -> str:
    """A table that can be scrolled across.

    Args:
        classes: of the columns: ``n`` stays on a line, ``w`` is wide, ``wide`` is left out on a telephone.
        stacked: on a telephone a row's cells stand below one another.
    """
    of = [f' class="{name}"' if name else "" for name in classes] or [""] * len(titles)
    cells = "".join(
        f"<th{kind if 'wide' in kind else ''}>{safe(cell)}</th>"
        for cell, kind in zip(titles, of, strict=True)
    )
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{safe(cell)}</td>" for cell, kind in zip(row, of, strict=True)) + "</tr>"
        for row in rows
    )
    kind = ' class="stack"' if stacked else ""
    return f'<div class="scroll"><table{kind}><tr>{cells}</tr>{body}</table></div>'


def chart_grid(charts: Sequence[Chart]) -> str:
    """Charts side by side, as many as have room; empty where there are none."""
    drawn = "".join(f"<div><h3>{safe(chart.title)}</h3>{svg(chart)}</div>" for chart in charts)
    return f'<div class="charts">{drawn}</div>' if charts else ""


def badge(verdict: str, words: Words) -> Markup:
    """A verdict in its colour and in words."""
    word = words.get(f"verdict.{verdict}", verdict)
    return Markup(f'<span class="v {safe(verdict.replace(" ", "-"))}">{safe(word)}</span>')


def findings_table(findings: Iterable[Finding], words: Words) -> str:
    """Findings, the worst first; what is said of several cards and nodes, once."""
    rows = [
        (
            badge(one.verdict.word, words),
            one.where or "-",
            Markup(
                f'<span class="dim">{safe(one.check)}:</span> {safe(one.message)}'
                + (f"<br><code>{safe(one.evidence)}</code>" if one.evidence else "")
            ),
            one.remedy,
        )
        for one in worst_first(folded(findings))
    ]
    titles = [words[name] for name in ("verdict", "where", "found", "remedy")]
    return table(titles, rows, ("n", "", "w", "w"), stacked=True)
