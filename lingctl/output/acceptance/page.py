"""The page of an acceptance: one HTML file that loads nothing, for screen and paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lingctl.output.amounts import clock
from lingctl.output.pages.mesh import mesh_tables
from lingctl.output.pages.sheet import Markup, badge, chart_grid, findings_table, head, listed, safe, table
from lingctl.output.pages.wording import Language, wording
from lingctl.serving.bench.chart import Chart, Line

_DIGEST = 16
_Report = Mapping[str, Any]


def acceptance_page(report: _Report, language: Language = "en") -> str:
    """The whole page of a report."""
    return "".join(_Page(report, language).parts())


class _Page:
    def __init__(self, report: _Report, language: Language) -> None:
        self._report = report
        self._language = language
        self._words = wording(language, "shared", "acceptance")
        self._parts = {part["name"]: part for part in report["parts"]}

    def parts(self) -> Iterable[str]:
        title = f"{self._words['title']}: {self._report['cluster']}"
        yield head(title, "zh-CN" if self._language == "zh" else "en", "accept")
        served = {"model": self._report["model"], "engine": self._report["engine"]}
        of = self._words["of"].format(**served, cards=self._report["world_size"])
        verdict = badge(self._report["verdict"], self._words)
        yield f'<p class="dim">{safe(of)}</p><p class="whole">{safe(verdict)}</p>'
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
        yield f"<h2>{self._say('not_tested')}</h2>{table((self._words['part'], self._words['why']), named)}"
        yield f"<h2>{self._say('again')}</h2><p>{self._say('again_text')}</p><p>{self._say('sums_text')}</p>"
        empty = "<div>&nbsp;</div>"
        yield f'<div class="sign"><div>{self._say("sign")}</div>{empty}{empty}</div></html>\n'

    def _say(self, name: str) -> str:
        return safe(self._words[name])

    def _head(self) -> str:
        names = ("cluster", "model", "engine", "begun", "ended", "by", "lingctl", "configuration")
        return listed((self._words[name], self._report[name]) for name in names)

    def _summary(self) -> str:
        rows = [
            (
                self._words.get(f"part.{part['name']}", part["name"]),
                badge(part["verdict"], self._words),
                part["what"],
                clock(round(part["seconds"])) if part["begun"] else "-",
                Markup(f"<code>{safe(part['command'])}</code>"),
            )
            for part in self._report["parts"]
        ]
        titles = [self._words[name] for name in ("part", "verdict", "found", "time", "command")]
        return table(titles, rows, ("", "n", "w", "n", "wide"))

    def _findings(self) -> str:
        told = "".join(self._of_part(part) for part in self._report["parts"] if part["findings"])
        return told or f"<p>{self._say('none')}</p>"

    def _of_part(self, part: _Report) -> str:
        name = self._words.get(f"part.{part['name']}", part["name"])
        return f"<h3>{safe(name)}</h3>{findings_table(part['findings'], self._words)}"

    def _mesh(self) -> str:
        drawn = mesh_tables(self._data("network"), self._words)
        return f"<h2>{self._say('mesh')}</h2>{drawn}" if drawn else ""

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
        return f"<h2>{self._say('nodes')}</h2>{table(head, rows)}"

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
        return (
            f"<h2>{self._say('load')}</h2>{table(head, rows)}{chart_grid(charts if len(trials) > 1 else [])}"
        )

    def _soak(self) -> str:
        windows: Sequence[_Report] = self._data("soak").get("windows") or []
        if len(windows) < 2:
            return ""
        charts = [
            _chart("TPOT p50 ms", "s", windows, "at", "tpot_p50_ms"),
            _chart(self._words["rate"], "s", windows, "at", "output_tokens_per_second"),
        ]
        return f"<h2>{self._say('soak')}</h2>{chart_grid(charts)}"

    def _questions(self) -> str:
        rows = [
            (str(one["number"]), str(one["question"]), self._words[f"verdict.{one['verdict']}"])
            for one in self._report.get("questions", ())
        ]
        if not rows:
            return ""
        head = (self._words["number"], self._words["question"], self._words["verdict"])
        return f"<h2>{self._say('questions')}</h2><p>{self._say('questions_text')}</p>{table(head, rows)}"

    def _answer(self) -> str:
        data = self._data("smoke")
        if not data.get("answer"):
            return ""
        quoted = f"<pre>{safe(data.get('prompt', ''))}</pre><pre>{safe(data['answer'])}</pre>"
        return f"<h2>{self._say('answer')}</h2>{quoted}"

    def _data(self, name: str) -> _Report:
        return self._parts.get(name, {}).get("data") or {}


def _chart(title: str, across: str, rows: Sequence[_Report], x: str, y: str) -> Chart:
    return Chart(title, across, "", [Line("", [(float(row[x]), float(row[y])) for row in rows])])


def _shortened(digest: object) -> str:
    """The beginning of a digest, with which people compare; report.json has all of it."""
    return str(digest or "").removeprefix("sha256:")[:_DIGEST]
