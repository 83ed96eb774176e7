"""The page of groups: their table, mean curves with a band or the best of n, and the picture of the final metric.

A row that is chosen in the table shows its group's curve alone.
"""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import AllIndices, CDSView, CustomJS, Div, HoverTool, Range1d
from bokeh.palettes import Category10
from bokeh.resources import INLINE

from experiments.comparison.groups.gathered import DRAWN, Groups, Place
from experiments.comparison.groups.picture import figure
from experiments.comparison.page_parts import WIDE, data_table, embedded, plot, table_source
from experiments.comparison.picture import png

COLOURS = list(Category10[10])
NO_COLOUR = "white"
HINT = "Click a row to show its group alone (Ctrl, Shift: several); click a heading to sort."
CHOSEN = (
    "const some = cb_obj.indices; for (const [at, drawn] of groups) drawn.visible = !some.length || some.includes(at);"
)


def page(kinds: list[Groups], shown: pl.DataFrame, runs: int) -> bytes:
    """The page's bytes, UTF-8; `shown`: the table of the groups, of so many runs."""
    keys = kinds[0].by.keys
    places = {at: k for k, at in enumerate(shown.select(keys).iter_rows())} if keys else {(): 0}
    colours = [NO_COLOUR] * shown.height
    for kind in kinds:
        for number, group in enumerate(kind.groups):
            colours[places[group.at]] = COLOURS[number % DRAWN]
    rows = table_source(shown, colours)
    drawn: list[tuple[int, Any]] = []
    figures = [_curves(kind, places, colours, drawn) for kind in kinds if kind.curves]
    rows.selected.js_on_change("indices", CustomJS(args={"groups": drawn}, code=CHOSEN))
    height = min(600, max(150, 40 + 24 * shown.height))
    table = column(data_table(shown, rows, CDSView(filter=AllIndices()), height), Div(text=HINT), **WIDE)
    picture = [embedded(png(figure(kinds, curves=False)))] if any(kind.swept is not None for kind in kinds) else []
    title = f"{shown.height} group{'s' * (shown.height != 1)} of {runs} runs"
    beside = [column(*figures, **WIDE)] if figures else []
    document = Document()
    document.add_root(column(Div(text=f"<b>{title}</b>"), row(table, *beside, **WIDE), *picture, **WIDE))
    return file_html(document, INLINE, title=title).encode()


def _curves(kind: Groups, places: Mapping[Place, int], colours: list[str], drawn: list[tuple[int, Any]]) -> Any:
    """The figure of one kind of runs; what it draws is added to `drawn`, with the row of its group in the table."""
    logs = ["log" if log else "linear" for log in kind.logarithmic]
    least, ranges = -np.inf, {}
    if kind.limits is not None:  # on a logarithmic axis a band ends at the least that is shown
        least, ranges = kind.limits[0], {"y_range": Range1d(*kind.limits)}
    made = plot(f"{kind.name}: " * bool(kind.name) + kind.title, height=420, x_axis_label=kind.labels[0],
                y_axis_label=kind.labels[1], x_axis_type=logs[0], y_axis_type=logs[1], **ranges)  # fmt: skip
    lines = []
    for group in kind.groups:
        if (curve := group.curve) is None:
            continue
        at = places[group.at]
        look = {"line_color": colours[at]}
        named = {"name": group.legend, "legend_label": group.legend}
        lines.append(made.line(curve.x, curve.centre, line_width=2, **named, **look))
        low = np.maximum(curve.low, least)
        drawn += [(at, lines[-1]), (at, made.varea(curve.x, low, curve.high, fill_color=colours[at], fill_alpha=0.18))]
        if curve.expected is not None:
            drawn.append((at, made.line(curve.x, curve.expected, line_dash="dotted", **look)))
    tips = [("", "$name"), ("n" if kind.searched else "epoch", "@x"), ("", "@y")]
    made.add_tools(HoverTool(renderers=lines, tooltips=tips, line_policy="nearest"))
    made.legend.label_text_font_size = "10px"
    return made
