"""The page's panels of keys, as in the picture; the line under the pointer tells its setting."""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

import numpy as np
from bokeh.layouts import column, row
from bokeh.models import ColumnDataSource, HoverTool, Range1d

from experiments.comparison.keys.settings import Axis, Settings
from experiments.comparison.page_parts import WIDE, plot, ranks


def panels(settings: Settings) -> Any:
    """Parallel coordinates, below them importance and a slice for each key of a search."""
    sides = [*settings.keys, settings.value]
    columns: dict[str, Any] = {f"{k}": _told(side) for k, side in enumerate(sides)}
    points = ColumnDataSource(columns | {"_colour": ranks(len(settings.value.values))})
    tips = [(side.name, "@{" + str(k) + "}") for k, side in enumerate(sides)]
    parallel = _parallel(settings, sides, points, tips)
    if not settings.importance:
        return parallel
    slices = [_slice(k, key, settings.value, points, tips) for k, key in enumerate(settings.keys)]
    return column(parallel, row(_importance(settings.importance), *slices, **WIDE), **WIDE)


def _told(side: Axis) -> list[Any]:
    """The values as the pointer's box tells them, and as a slice places them."""
    return [side.words[int(v)] if v == v else "" for v in side.values] if side.words else side.values.tolist()


def _parallel(settings: Settings, sides: list[Axis], points: ColumnDataSource, tips: list[Any]) -> Any:
    lines, across = settings.lines, np.arange(len(sides), dtype=np.float32)
    made = plot(settings.heading, height=360, x_range=Range1d(-0.1, len(sides) - 0.7), y_range=Range1d(-0.05, 1.05))
    told = {name: list(values)[: len(lines)][::-1] for name, values in points.data.items()}  # the best on top
    told |= {"_xs": [across] * len(lines), "_ys": list(lines[::-1].astype(np.float32))}
    drawn = made.multi_line("_xs", "_ys", source=ColumnDataSource(told), line_color="_colour", line_alpha=0.6,
                            hover_line_color="crimson", hover_line_alpha=1.0)  # fmt: skip
    made.add_tools(HoverTool(renderers=[drawn], tooltips=tips, show_arrow=False, limit=1))
    for at, side in enumerate(sides):
        made.segment(x0=[at], y0=[0], x1=[at], y1=[1], line_color="black")
        heights, texts = zip(*side.ticks, strict=True)
        made.text(x=[at] * len(texts), y=list(heights), text=list(texts), x_offset=4, text_font_size="10px",
                  text_baseline="middle")  # fmt: skip
    made.xaxis.ticker = list(range(len(sides)))
    made.xaxis.major_label_overrides = {at: side.name for at, side in enumerate(sides)}
    made.yaxis.visible, made.grid.visible = False, False
    return made


def _importance(importance: dict[str, float]) -> Any:
    names = list(importance)[::-1]
    made = plot("importance (PED-ANOVA)", height=260, y_range=names, x_range=Range1d(0, 1))
    made.hbar(y=names, right=[importance[name] for name in names], height=0.7, color="#31688e")
    return made


def _slice(number: int, key: Axis, value: Axis, points: ColumnDataSource, tips: list[Any]) -> Any:
    across: dict[str, Any] = {"x_range": key.words} if key.words else {"x_axis_type": "log" if key.log else "linear"}
    made = plot("", height=260, x_axis_label=key.name, y_axis_label=value.name,
                y_axis_type="log" if value.log else "linear", **across)  # fmt: skip
    drawn = made.scatter(str(number), str(len(tips) - 1), source=points, color="_colour", size=4)
    made.add_tools(HoverTool(renderers=[drawn], tooltips=tips, limit=1))
    return made
