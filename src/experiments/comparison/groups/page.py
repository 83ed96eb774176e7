"""The page of groups: their table, mean curves with a band or the best of n, and the picture of the final metric.

A row that is chosen in the table shows its group's curve alone.
"""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from base64 import b64encode
from typing import Any

import numpy as np
import polars as pl
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import AllIndices, CDSView, CustomJS, CustomJSTickFormatter, Div, HoverTool, Range1d
from bokeh.palettes import Category10
from bokeh.plotting import figure
from bokeh.resources import INLINE

from experiments.comparison.groups.gathered import DRAWN, Group, Groups
from experiments.comparison.groups.picture import draw
from experiments.comparison.page_table import NUMBER, data_table, table_source
from experiments.comparison.picture_swept import wide

COLOURS = list(Category10[10])
NO_COLOUR = "white"
HINT = "Click a row to show its group alone (Ctrl, Shift: several); click a heading to sort."
CHOSEN = (
    "const some = cb_obj.indices; for (const [at, drawn] of groups) drawn.visible = !some.length || some.includes(at);"
)
WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}


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
    figures = []
    for kind in kinds:
        own = [(places[group.at], colours[places[group.at]], group) for group in kind.groups]
        if any(len(group.epochs) for group in kind.groups):
            figures.append(_curves(kind, own, drawn))
        if any(group.best_of is not None for group in kind.groups):
            figures.append(_best_of(kind, own, drawn))
    rows.selected.js_on_change("indices", CustomJS(args={"groups": drawn}, code=CHOSEN))
    height = min(600, max(150, 40 + 24 * shown.height))
    table = column(data_table(shown, rows, CDSView(filter=AllIndices()), height), Div(text=HINT), **WIDE)
    content = b64encode(draw(kinds, curves=False)).decode() if any(k.swept is not None for k in kinds) else ""
    picture = (
        [Div(text=f'<img src="data:image/png;base64,{content}" style="max-width: 100%">', **WIDE)] if content else []
    )
    title = f"{shown.height} group{'s' * (shown.height != 1)} of {runs} runs"
    document = Document()
    document.add_root(
        column(
            Div(text=f"<b>{title}</b>"),
            row(table, *([column(*figures, **WIDE)] if figures else []), **WIDE),
            *picture,
            **WIDE,
        )
    )
    return file_html(document, INLINE, title=title).encode()


def _figure(x: str, y: str, title: str, **ranges: Any) -> Any:
    plot = figure(height=420, sizing_mode="stretch_width", tools="pan,wheel_zoom,box_zoom,reset,save", title=title,
                  x_axis_label=x, y_axis_label=y, **ranges)  # fmt: skip
    plot.axis.formatter = CustomJSTickFormatter(code=f"return {NUMBER}(tick);")
    return plot


def _curves(kind: Groups, own: list[tuple[int, str, Group]], drawn: list[tuple[int, Any]]) -> Any:
    title = f"{kind.name}: " * bool(kind.name) + kind.curves_title
    plot = _figure("epoch", "loss over all training rows", title, y_axis_type="log", y_range=Range1d(*kind.limits))
    for at, colour, group in own:
        if len(group.epochs):
            curve = group.epochs, group.centre, group.low, group.high
            _line(plot, (at, colour, group), drawn, curve, kind.limits[0])
    return _told(plot, "epoch")


def _best_of(kind: Groups, own: list[tuple[int, str, Group]], drawn: list[tuple[int, Any]]) -> Any:
    found = [best for group in kind.groups if (best := group.best_of) is not None]
    values = pl.Series(np.concatenate([part for best in found for part in (best.lucky, best.unlucky)])).drop_nans()
    title = f"{kind.name}: " * bool(kind.name) + f"{kind.best_title}; dotted: expected"
    plot = _figure("n, trials of the search", kind.measure.replace("_", " "), title,
                   x_axis_type="log" if max(int(best.n[-1]) for best in found) > 20 else "linear",
                   y_axis_type="log" if wide(values) else "linear")  # fmt: skip
    for at, colour, group in own:
        if (best := group.best_of) is not None:
            _line(plot, (at, colour, group), drawn, (best.n, best.median, best.lucky, best.unlucky), -np.inf)
            drawn.append((at, plot.line(best.n, best.expected, line_color=colour, line_dash="dotted")))
    return _told(plot, "n")


def _line(
    plot: Any, own: tuple[int, str, Group], drawn: list[tuple[int, Any]],
    curve: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray], least: float,
) -> None:  # fmt: skip
    """A group's centre with its band, which on a logarithmic axis ends at the `least` that is shown."""
    (at, colour, group), (x, middle, low, high) = own, curve
    area = plot.varea(x, np.maximum(low, least), high, fill_color=colour, fill_alpha=0.18)
    line = plot.line(x, middle, line_color=colour, line_width=2, name=group.legend, legend_label=group.legend)
    drawn += [(at, area), (at, line)]


def _told(plot: Any, x: str) -> Any:
    lines = [glyph for glyph in plot.renderers if glyph.name]
    tips = [("", "$name"), (x, "@x"), ("", "@y")]
    plot.add_tools(HoverTool(renderers=lines, tooltips=tips, line_policy="nearest"))
    plot.legend.label_text_font_size = "10px"
    return plot
