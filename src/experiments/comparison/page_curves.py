"""The page's loss curves: all of them, those of a choice, and the one under the pointer on a layer of its own.

Painting a thousand curves takes tens of milliseconds, so moving the pointer must not do it: bokeh paints the level
"overlay" alone when nothing else has changed.
"""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

import numpy as np
import polars as pl
from bokeh.models import ColumnDataSource, CustomJS, HoverTool, Range1d, Span, TapTool

from experiments.comparison.curves import PlotData
from experiments.comparison.page_parts import plot as made_plot
from experiments.comparison.printing import headings
from experiments.comparison.runs_table import SHOWN
from experiments.stored.cells import cell

TAPPED = """
    const places = cb_obj.indices.map(i => source.data._order[i]);
    if (places.length) rows.selected.indices = [begin + count - 1 - Math.max(...places)];
"""
"""A tap selects the topmost curve under it in the table."""
UNDER = """
    if (!cb_data.renderer.visible || !cb_data.renderer.data_source.data.run.length) return;
    const hits = cb_data.index.indices, data = cb_data.renderer.data_source.data;
    const name = hits.length ? data.run[Math.max(...hits)] : null;
    if (name === null) { if (mark.data.x.length) mark.data = { x: [], y: [] }; mark.name = null; }
    else if (mark.name !== name) {
        const at = data.run.indexOf(name);
        mark.name = name;
        mark.data = { x: Array.from(data._epochs[at]), y: Array.from(data._losses[at]) };
    }
"""
"""The topmost curve under the pointer, which is also the nearest, is drawn once more, on top and in red."""


def curves(
    plot_data: PlotData, shown: pl.DataFrame, rows: ColumnDataSource, begin: int, height: int
) -> tuple[Any, dict[str, Any]]:
    """The figure of one group, and what `page.js` changes in it (see there), by name.

    `rows` is the source of the table `shown`, in which the group's rows begin at `begin`.
    """
    plot = made_plot(
        _title(plot_data), height=height, active_scroll="wheel_zoom", x_axis_label="epoch", y_axis_type="log",
        y_axis_label="loss over all training rows", y_range=Range1d(*plot_data.limits),
    )  # fmt: skip
    keys = [name for name in shown.columns if name in plot_data.varied][:8]
    told = ["run", *keys, *(name for name in SHOWN[:4] if name in shown.columns)]
    lines = _source(plot_data, {name: rows.data[name] for name in (*told, "_colour")}, begin)
    some = ColumnDataSource({name: [] for name in lines.data})
    drawn = []
    place = {"begin": begin, "count": plot_data.table.height}
    for source, width, alpha in ((lines, 1, 0.7), (some, 2, 1.0)):
        made = plot.multi_line(
            "_epochs", "_losses", source=source, line_color="_colour", line_width=width, line_alpha=alpha
        )
        made.selection_glyph, made.nonselection_glyph = None, None
        tapped = CustomJS(args={"rows": rows, "source": source, **place}, code=TAPPED)
        source.selected.js_on_change("indices", tapped)
        drawn.append(made)
    mark = ColumnDataSource({"x": [], "y": []})
    plot.line("x", "y", source=mark, line_color="crimson", line_width=3, level="overlay")
    tips = [(heading, "@{" + name + "}") for heading, name in zip(headings(told), told, strict=True)]
    tips += [("epoch", "$snap_x{0}"), ("loss", "$snap_y")]
    plot.add_tools(
        TapTool(renderers=drawn),
        HoverTool(
            renderers=drawn, tooltips=tips, line_policy="nearest", show_arrow=False, limit=1,
            sort_by=[("_order", "descending")], callback=CustomJS(args={"mark": mark}, code=UNDER),
        ),
    )  # fmt: skip
    if (optimum := plot_data.shown_optimum) is not None:
        plot.add_layout(Span(location=optimum, dimension="width", line_color="crimson", line_dash="dashed"))
    return plot, {"lines": lines, "all": drawn[0], "some": some, "glyph": drawn[1].glyph, "mark": mark, **place}


def _source(plot_data: PlotData, told: dict[str, Any], begin: int) -> ColumnDataSource:
    """A curve per run with what is told of it, the best last, so that it is drawn on top; `_order` is its place."""
    count = plot_data.table.height
    data: dict[str, Any] = {name: list(values[begin : begin + count])[::-1] for name, values in told.items()}
    data["_epochs"] = [epochs.astype(np.float32) for epochs, _ in reversed(plot_data.curves)]
    data["_losses"] = [_positive(losses) for _, losses in reversed(plot_data.curves)]
    data["_order"] = list(range(count))
    return ColumnDataSource(data)


def _positive(losses: np.ndarray) -> np.ndarray:
    """Losses for a logarithmic axis: NaN for zero; float32, which ends where nobody looks (3e38)."""
    most = float(np.finfo(np.float32).max)
    return np.where(losses > 0, np.minimum(losses, most), np.nan).astype(np.float32)


def _title(plot_data: PlotData) -> str:
    said = [f"{cell(plot_data.group)}: " * bool(plot_data.group) + "training loss, darkest the best"]
    if plot_data.shown_optimum is not None:
        said.append(f"dashed: smallest possible {plot_data.shown_optimum:.6g}")
    if plot_data.leaving:
        said.append(f"{plot_data.leaving} leave at the top")
    return "; ".join(said)
