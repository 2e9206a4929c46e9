"""Charts as inline SVG, which loads nothing."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass

_WIDTH, _HEIGHT = 640, 300
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 28, 44
_LEGEND = 130  # width of a name
_FAR = 4  # times the highest value
_MOST_DOTS = 20  # measured points are marked where they are few
_COLOURS = ("#1f6feb", "#9a6700", "#1a7f37", "#8250df")  # red is for limits


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Limit:
    """A value that a line must not pass, drawn across."""

    name: str  # in words, e.g. ``TTFT 2000 ms``
    value: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over one axis each way; both begin at 0."""

    title: str
    across: str
    up: str
    lines: Sequence[Line]
    limits: Sequence[Limit] = ()


def svg(chart: Chart) -> str:
    """One chart."""
    points = [point for line in chart.lines for point in line.points]
    whole = all(float(x).is_integer() for x, _ in points)
    across = _ticks(max((x for x, _ in points), default=1.0), least=1.0 if whole else 0.0)
    highest = max((y for _, y in points), default=1.0)
    # One far above would press the lines flat: it is told beside the title of the axis.
    near = [limit for limit in chart.limits if limit.value <= _FAR * highest]
    up = _ticks(max(highest, *(limit.value for limit in near)) if near else highest)
    far = "".join(f"; limit {limit.name}: far above" for limit in chart.limits if limit not in near)
    middle = (_LEFT + _WIDTH) / 2
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{_safe(chart.title)}">'
        + "".join(_tick_across(x, across[-1]) for x in across)
        + "".join(_tick_up(y, up[-1]) for y in up)
        + "".join(_limit(limit, up[-1]) for limit in near)
        + "".join(_line(line, n, across[-1], up[-1]) for n, line in enumerate(chart.lines))
        + "".join(_legend(line, n, len(chart.lines)) for n, line in enumerate(chart.lines))
        + f'<text x="{middle}" y="{_HEIGHT - 6}" text-anchor="middle">{_safe(chart.across)}</text>'
        + f'<text x="4" y="14">{_safe(chart.up + far)}</text></svg>'
    )


def _line(line: Line, number: int, most_across: float, most_up: float) -> str:
    colour = _COLOURS[number % len(_COLOURS)]
    path = " ".join(f"{_x(x, most_across):.1f},{_y(y, most_up):.1f}" for x, y in line.points)
    drawn = f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
    if len(line.points) > _MOST_DOTS:
        return drawn
    dots = (
        f'<circle cx="{_x(x, most_across):.1f}" cy="{_y(y, most_up):.1f}" r="3" fill="{colour}"/>'
        for x, y in line.points
    )
    return drawn + "".join(dots)


def _legend(line: Line, number: int, count: int) -> str:
    """The line's name in its colour; from the right, for the title of the axis stands at the left."""
    x = _WIDTH - _RIGHT - _LEGEND * (count - 1 - number)
    colour = _COLOURS[number % len(_COLOURS)]
    return f'<text x="{x}" y="14" text-anchor="end" style="fill:{colour}">{_safe(line.name)}</text>'


def _limit(limit: Limit, most_up: float) -> str:
    y = _y(limit.value, most_up)
    # Below the line where there is no room above it.
    text = y - 5 if y > _TOP + 12 else y + 14
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#cf222e" '
        f'stroke-dasharray="6 4"/><text x="{_LEFT + 6}" y="{text:.1f}" style="fill:#cf222e">'
        f"limit {_safe(limit.name)}</text>"
    )


def _tick_across(value: float, most: float) -> str:
    x, y = _x(value, most), _HEIGHT - _BOTTOM + 16
    return f'<text x="{x:.1f}" y="{y}" text-anchor="middle">{value:g}</text>'


def _tick_up(value: float, most: float) -> str:
    y = _y(value, most)
    return (
        f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#d8dee4"/>'
        f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
    )


def _x(value: float, most: float) -> float:
    return _LEFT + value / most * (_WIDTH - _LEFT - _RIGHT)


def _y(value: float, most: float) -> float:
    return _HEIGHT - _BOTTOM - value / most * (_HEIGHT - _TOP - _BOTTOM)


def _ticks(most: float, least: float = 0.0) -> list[float]:
    """Round values from 0 to at least ``most``, about five of them, and ``least`` or more apart."""
    if most <= 0 or not math.isfinite(most):
        return [0.0, 1.0]
    magnitude = 10.0 ** math.floor(math.log10(most / 5))
    step = max(least, next(s for s in (magnitude * m for m in (1, 2, 5, 10)) if most / s <= 5 + 1e-9))
    return [round(step * n, 10) for n in range(math.ceil(most / step - 1e-9) + 1)]


def _safe(value: object) -> str:
    return html.escape(str(value))
