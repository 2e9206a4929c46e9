"""The page of an acceptance: one HTML file that loads nothing, for screen and paper."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lingctl.findings import ranges
from lingctl.output.acceptance.wording import WORDING, Language
from lingctl.output.harmless import harmless
from lingctl.serving.bench.chart import Chart, Line, svg

_LONGEST = 2_000
_DIGEST = 16
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
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(20rem,1fr));gap:1rem}
svg{width:100%;height:auto}svg text{font:12px system-ui,sans-serif;fill:#57606a}
.sign{display:grid;grid-template-columns:repeat(3,1fr);gap:2rem;margin-top:3rem}
.sign div{border-top:1px solid var(--ink);padding-top:.3rem;color:var(--dim);font-size:.85rem}
@media(max-width:40rem){dl{grid-template-columns:1fr}dt{margin-top:.4rem}.wide{display:none}}
@media print{@page{size:A4;margin:16mm 14mm}body{max-width:none;padding:0;font-size:10.5pt}
h2{break-after:avoid}tr,svg,.sign{break-inside:avoid}.scroll{overflow:visible}}
"""

_Report = Mapping[str, Any]


def acceptance_page(report: _Report, language: Language = "en") -> str:
    """The whole page of a report."""
    return "".join(_Page(report, language).parts())


class _Page:
    def __init__(self, report: _Report, language: Language) -> None:
        self._report = report
        self._language = language
        self._words = WORDING[language]
        self._parts = {part["name"]: part for part in report["parts"]}

    def parts(self) -> Iterable[str]:
        title = f"{self._words['title']}: {self._report['cluster']}"
        yield '<!doctype html><html lang="' + ("zh-CN" if self._language == "zh" else "en") + '">'
        yield '<meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">'
        yield f"<title>{_safe(title)}</title><style>{_STYLE}</style>"
        yield f"<h1>{_safe(title)}</h1>"
        served = {"model": self._report["model"], "engine": self._report["engine"]}
        of = self._words["of"].format(**served, cards=self._report["world_size"])
        yield f'<p class="dim">{_safe(of)}</p><p class="whole">{self._badge(self._report["verdict"])}</p>'
        yield self._head()
        yield f"<h2>{self._say('parts')}</h2>{self._summary()}"
        yield f"<h2>{self._say('findings')}</h2>{self._findings()}"
        yield self._mesh()
        yield self._nodes()
        yield self._load()
        yield self._soak()
        yield self._answer()
        yield self._questions()
        rows = [(row["what"], row["why"]) for row in self._report["not_tested"]]
        named = [(self._words.get(f"part.{what}", what), why) for what, why in rows]
        yield f"<h2>{self._say('not_tested')}</h2>{_table((self._words['part'], self._words['why']), named)}"
        yield f"<h2>{self._say('again')}</h2><p>{self._say('again_text')}</p><p>{self._say('sums_text')}</p>"
        empty = "<div>&nbsp;</div>"
        yield f'<div class="sign"><div>{self._say("sign")}</div>{empty}{empty}</div></html>\n'

    def _say(self, name: str) -> str:
        return _safe(self._words[name])

    def _badge(self, verdict: str) -> str:
        word = self._words.get(f"verdict.{verdict}", verdict)
        return f'<span class="v {_safe(verdict.replace(" ", "-"))}">{_safe(word)}</span>'

    def _head(self) -> str:
        names = ("cluster", "model", "engine", "begun", "ended", "by", "lingctl", "configuration")
        return (
            "<dl>"
            + "".join(f"<dt>{self._say(name)}</dt><dd>{_safe(self._report[name])}</dd>" for name in names)
            + "</dl>"
        )

    def _summary(self) -> str:
        head = ("part", "verdict", "found", "time")
        cells = "".join(f"<th>{self._say(name)}</th>" for name in head)
        rows = "".join(
            f"<tr><td>{_safe(self._words.get('part.' + part['name'], part['name']))}</td>"
            f'<td class="n">{self._badge(part["verdict"])}</td><td class="w">{_safe(part["what"])}</td>'
            f'<td class="n">{_span(part["seconds"]) if part["begun"] else "-"}</td>'
            f'<td class="wide"><code>{_safe(part["command"])}</code></td></tr>'
            for part in self._report["parts"]
        )
        wide = f'<th class="wide">{self._say("command")}</th>'
        return f'<div class="scroll"><table><tr>{cells}{wide}</tr>{rows}</table></div>'

    def _findings(self) -> str:
        told = "".join(self._of_part(part) for part in self._report["parts"] if part["findings"])
        return told or f"<p>{self._say('none')}</p>"

    def _of_part(self, part: _Report) -> str:
        rows = "".join(
            f'<tr><td class="n">{self._badge(one["verdict"])}</td><td>{_safe(where)}</td>'
            f'<td class="w">{_safe(one["message"])}{_quoted(one["evidence"])}</td>'
            f'<td class="w">{_safe(one["remedy"])}</td></tr>'
            for one, where in _told_once(part["findings"])
        )
        head = "".join(f"<th>{self._say(name)}</th>" for name in ("verdict", "where", "found", "remedy"))
        name = self._words.get(f"part.{part['name']}", part["name"])
        return f'<h3>{_safe(name)}</h3><div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'

    def _mesh(self) -> str:
        data = self._data("network")
        names = data.get("nodes") or []
        if len(names) < 2 or not data.get("matrix"):
            return ""
        return f"<h2>{self._say('mesh')}</h2>{_table(('', *names), data['matrix'])}"

    def _nodes(self) -> str:
        nodes: Mapping[str, Any] = self._data("versions").get("nodes") or {}
        if not nodes:
            return ""
        weights = self._data("weights").get("nodes") or {}
        columns = ("hostname", "cards", "driver", "firmware", "runtime", "image")
        rows = [
            (
                name,
                *(str(row.get(column) or self._words["unknown"]) for column in columns[:-1]),
                _shortened(row.get("image")) or self._words["unknown"],
                _shortened((weights.get(name) or {}).get("digest")) or self._words["unknown"],
            )
            for name, row in nodes.items()
        ]
        head = [self._words[name] for name in ("node", *columns, "weights")]
        return f"<h2>{self._say('nodes')}</h2>{_table(head, rows)}"

    def _load(self) -> str:
        trials: Sequence[_Report] = self._data("load").get("trials") or []
        if not trials:
            return ""
        rows = [
            (
                trial["concurrency"],
                trial["output_tokens_per_second"],
                trial["ttft_p90_ms"],
                trial["tpot_p90_ms"],
                trial["broken"] or self._words["kept"],
            )
            for trial in trials
        ]
        head = (
            self._words["concurrency"],
            self._words["rate"],
            "TTFT p90 ms",
            "TPOT p90 ms",
            self._words["limit"],
        )
        across = self._words["concurrency"]
        charts = [
            _chart(self._words["rate"], across, trials, "concurrency", "output_tokens_per_second"),
            _chart("TTFT p90 ms", across, trials, "concurrency", "ttft_p90_ms"),
            _chart("TPOT p90 ms", across, trials, "concurrency", "tpot_p90_ms"),
        ]
        return f"<h2>{self._say('load')}</h2>{_table(head, rows)}{_charts(charts if len(trials) > 1 else [])}"

    def _soak(self) -> str:
        windows: Sequence[_Report] = self._data("soak").get("windows") or []
        if len(windows) < 2:
            return ""
        charts = [
            _chart("TPOT p50 ms", "s", windows, "at", "tpot_p50_ms"),
            _chart(self._words["rate"], "s", windows, "at", "output_tokens_per_second"),
        ]
        return f"<h2>{self._say('soak')}</h2>{_charts(charts)}"

    def _questions(self) -> str:
        rows = [
            (str(one["number"]), str(one["question"]), self._words[f"verdict.{one['verdict']}"])
            for one in self._report.get("questions", ())
        ]
        if not rows:
            return ""
        head = (self._words["number"], self._words["question"], self._words["verdict"])
        return f"<h2>{self._say('questions')}</h2><p>{self._say('questions_text')}</p>{_table(head, rows)}"

    def _answer(self) -> str:
        data = self._data("smoke")
        if not data.get("answer"):
            return ""
        quoted = f"<pre>{_safe(data.get('prompt', ''))}</pre><pre>{_safe(data['answer'])}</pre>"
        return f"<h2>{self._say('answer')}</h2>{quoted}"

    def _data(self, name: str) -> _Report:
        return self._parts.get(name, {}).get("data") or {}


def _chart(title: str, across: str, rows: Sequence[_Report], x: str, y: str) -> Chart:
    return Chart(title, across, "", [Line("", [(float(row[x]), float(row[y])) for row in rows])])


def _charts(charts: Sequence[Chart]) -> str:
    drawn = "".join(f"<div><h3>{_safe(chart.title)}</h3>{svg(chart)}</div>" for chart in charts)
    return f'<div class="charts">{drawn}</div>' if charts else ""


def _table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    cells = "".join(f"<th>{_safe(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="scroll"><table><tr>{cells}</tr>{body}</table></div>'


def _told_once(findings: Sequence[_Report]) -> list[tuple[_Report, str]]:
    """Each thing that was found, with all places of which it is said; the worst first."""
    alike: dict[tuple[str, ...], list[_Report]] = {}
    for one in findings:
        said = (one["verdict"], one["message"], one["evidence"], one["remedy"])
        alike.setdefault(tuple(map(str, said)), []).append(one)
    order = ("failure", "unknown", "warning")
    rows = [(same[0], _places(same)) for same in alike.values()]
    return sorted(rows, key=lambda row: order.index(row[0]["verdict"]) if row[0]["verdict"] in order else 3)


def _places(findings: Sequence[_Report]) -> str:
    cards: dict[str, list[int]] = {}
    for one in findings:
        cards.setdefault(one.get("node") or "", []).extend(
            [] if one.get("device") is None else [int(one["device"])]
        )
    named = (
        f"{node} {'cards' if len(ids) > 1 else 'card'} {ranges(ids)}".strip() if ids else node
        for node, ids in cards.items()
    )
    return ", ".join(name for name in named if name) or "-"


def _shortened(digest: object) -> str:
    """The beginning of a digest, with which people compare; report.json has all of it."""
    return str(digest or "").removeprefix("sha256:")[:_DIGEST]


def _quoted(evidence: str) -> str:
    return f"<br><code>{_safe(evidence)}</code>" if evidence else ""


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _safe(value: object) -> str:
    return html.escape(harmless(str(value), _LONGEST))
