"""The page of an acceptance: one HTML file that loads nothing, for screen and paper."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from lingctl.findings import finding_in
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
        names = ("cluster", "model", "engine", "begun", "ended", "by", "lingctl", "configuration")
        yield listed((self._words[name], self._report[name]) for name in names)
        sections = {
            "parts": self._summary(),
            "findings": self._findings(),
            "mesh": mesh_tables(self._data("network"), self._words),
            "nodes": self._nodes(),
            "load": self._load(),
            "soak": self._soak(),
            "answer": self._answer(),
            "questions": self._questions(),
            "not_tested": self._not_tested(),
            "again": f"<p>{self._say('again_text')}</p><p>{self._say('sums_text')}</p>",
        }
        yield from (f"<h2>{self._say(name)}</h2>{body}" for name, body in sections.items() if body)
        empty = "<div>&nbsp;</div>"
        yield f'<div class="sign"><div>{self._say("sign")}</div>{empty}{empty}</div></html>\n'

    def _say(self, name: str) -> str:
        return safe(self._words[name])

    def _part_name(self, name: str) -> str:
        return self._words.get(f"part.{name}", name)

    def _table(self, titles: Iterable[str], rows: Iterable[Sequence[object]], *classes: str) -> str:
        return table([self._words[title] for title in titles], rows, classes)

    def _summary(self) -> str:
        rows = [
            (
                self._part_name(part["name"]),
                badge(part["verdict"], self._words),
                part["what"],
                clock(round(part["seconds"])) if part["begun"] else "-",
                Markup(f"<code>{safe(part['command'])}</code>"),
            )
            for part in self._report["parts"]
        ]
        return self._table(("part", "verdict", "found", "time", "command"), rows, "", "n", "w", "n", "wide")

    def _findings(self) -> str:
        told = "".join(
            f"<h3>{safe(self._part_name(part['name']))}</h3>"
            + findings_table(map(finding_in, part["findings"]), self._words)
            for part in self._report["parts"]
            if part["findings"]
        )
        return told or f"<p>{self._say('none')}</p>"

    def _nodes(self) -> str:
        nodes: Mapping[str, Any] = self._data("versions").get("nodes") or {}
        weights = self._data("weights").get("nodes") or {}
        columns = ("hostname", "cards", "driver", "firmware", "runtime")
        rows = [
            (
                name,
                *(str(row.get(column) or self._words["unknown"]) for column in columns),
                _shortened(row.get("image")) or self._words["unknown"],
                _shortened((weights.get(name) or {}).get("digest")) or self._words["unknown"],
            )
            for name, row in nodes.items()
        ]
        return self._table(("node", *columns, "image", "weights"), rows) if rows else ""

    def _load(self) -> str:
        trials: Sequence[_Report] = self._data("load").get("trials") or []
        if not trials:
            return ""
        figures = ("output_tokens_per_second", "ttft_p90_ms", "tpot_p90_ms")
        rows = [
            (*(trial[name] for name in ("concurrency", *figures)), trial["broken"] or self._words["kept"])
            for trial in trials
        ]
        drawn = self._charts(trials, "concurrency", *figures) if len(trials) > 1 else ""
        return self._table(("concurrency", *figures, "limit"), rows) + drawn

    def _soak(self) -> str:
        windows: Sequence[_Report] = self._data("soak").get("windows") or []
        if len(windows) < 2:
            return ""
        return self._charts(windows, "at", "tpot_p50_ms", "output_tokens_per_second")

    def _charts(self, rows: Sequence[_Report], across: str, *figures: str) -> str:
        def chart(figure: str) -> Chart:
            points = [(float(row[across]), float(row[figure])) for row in rows]
            return Chart(self._words[figure], self._words[across], "", [Line("", points)])

        return chart_grid([chart(figure) for figure in figures])

    def _questions(self) -> str:
        rows = [
            (str(one["number"]), str(one["question"]), self._words[f"verdict.{one['verdict']}"])
            for one in self._report.get("questions", ())
        ]
        told = self._table(("number", "question", "verdict"), rows)
        return f"<p>{self._say('questions_text')}</p>{told}" if rows else ""

    def _not_tested(self) -> str:
        rows = [(self._part_name(row["what"]), row["why"]) for row in self._report["not_tested"]]
        return self._table(("part", "why"), rows)

    def _answer(self) -> str:
        data = self._data("smoke")
        if not data.get("answer"):
            return ""
        return f"<pre>{safe(data.get('prompt', ''))}</pre><pre>{safe(data['answer'])}</pre>"

    def _data(self, name: str) -> _Report:
        return self._parts.get(name, {}).get("data") or {}


def _shortened(digest: object) -> str:
    """The beginning of a digest, with which people compare; report.json has all of it."""
    return str(digest or "").removeprefix("sha256:")[:_DIGEST]
