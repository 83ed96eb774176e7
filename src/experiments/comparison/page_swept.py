"""The page's panels below the table: the gap against what was swept, and the best run's predictions."""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

from bokeh.models import ColorBar, ColumnDataSource, HoverTool
from bokeh.palettes import Category10
from bokeh.plotting import figure
from bokeh.transform import linear_cmap, log_cmap

from experiments.comparison.curves import PlotData
from experiments.comparison.picture_swept import bins, wide
from experiments.comparison.swept import Swept
from experiments.stored.cells import cell

SIZE: dict[str, Any] = {"height": 400, "sizing_mode": "stretch_width", "tools": "pan,wheel_zoom,box_zoom,reset,save"}


def panels(plot_data: PlotData) -> list[Any]:
    """The figures that there is something for."""
    made = []
    if plot_data.swept is not None:
        made.append({0: _spread, 1: _lines, 2: _map}[len(plot_data.swept.axes)](plot_data.swept))
    if plot_data.best is not None:
        made.append(_best(plot_data))
    return made


def _source(columns: dict[str, Any]) -> ColumnDataSource:
    return ColumnDataSource({name: _plain(values) for name, values in columns.items()})


def _plain(values: Any) -> Any:
    if hasattr(values, "dtype") and hasattr(values, "fill_null") and values.dtype.is_numeric():
        return values.cast(float).fill_null(float("nan")).to_numpy()
    return values if not hasattr(values, "to_list") else [cell(v) for v in values]


def _spread(swept: Swept) -> Any:
    import numpy as np

    values = swept.table["mean"].drop_nulls().to_numpy()
    edges, logarithmic = bins(values)
    counts, _ = np.histogram(values, edges)
    plot = figure(
        **SIZE, x_axis_type="log" if logarithmic else "linear", title=swept.title, y_range=(0, 1.05 * counts.max()),
        x_axis_label=swept.measure.replace("_", " "), y_axis_label="runs",
    )  # fmt: skip
    data = ColumnDataSource({"left": edges[:-1], "right": edges[1:], "runs": counts})
    bars = plot.quad("left", "right", "runs", 0, source=data, fill_alpha=0.8, line_color="white")
    plot.add_tools(HoverTool(renderers=[bars], tooltips=[("from", "@left"), ("to", "@right"), ("runs", "@runs")]))
    median = float(np.median(values))
    plot.vspan(x=[median], line_color="crimson", line_dash="dashed", legend_label=f"median {median:.4g}")
    return plot


def _lines(swept: Swept) -> Any:
    key, table = swept.axes[0], swept.table
    numeric = table.schema[key].is_numeric()
    lowest = table["min"].drop_nulls().to_numpy()
    x_axis: dict[str, Any] = {"x_axis_type": "log" if wide(table[key]) else "linear"}
    if not numeric:
        x_axis = {"x_range": [cell(v) for v in table[key].unique().sort()]}
    plot = figure(
        **SIZE, **x_axis, y_axis_type="log" if len(lowest) and lowest.min() > 0 else "linear", title=swept.title,
        x_axis_label=cell(key), y_axis_label=swept.measure.replace("_", " "),
    )  # fmt: skip
    points = []
    for k, ((line,), part) in enumerate(
        table.filter(table["mean"].is_not_null()).group_by("line", maintain_order=True)
    ):
        data = _source({"x": part[key], **{c: part[c] for c in ("mean", "min", "max", "runs", "without", "line")}})
        look: dict[str, Any] = {"source": data, "color": Category10[10][k], "legend_label": cell(line) or "mean"}
        if numeric:
            plot.varea("x", "min", "max", source=data, fill_color=Category10[10][k], fill_alpha=0.15)
            plot.line(
                "x", "mean", line_width=2, line_dash=("solid", "dashed")[2 * k >= table["line"].n_unique()], **look
            )
        else:
            plot.segment("x", "min", "x", "max", source=data, color=Category10[10][k], line_width=2)
        points.append(plot.scatter("x", "mean", size=7, **look))
    tips = [("", "@line"), (cell(key), "@x"), *((k, f"@{k}") for k in ("mean", "min", "max", "runs"))]
    plot.add_tools(HoverTool(renderers=points, tooltips=[*tips, ("diverged or failed", "@without")]))
    if points:
        plot.legend.click_policy, plot.legend.location = "hide", "bottom_left"
        plot.legend.background_fill_alpha = 0.6
    return plot


def _map(swept: Swept) -> Any:
    (across, down), table = swept.axes, swept.table
    means = table["mean"].drop_nulls().to_numpy()
    low, high = (float(means.min()), float(means.max())) if len(means) else (1.0, 1.0)
    logarithmic = low > 0 and high > 10 * low
    colours = (log_cmap if logarithmic else linear_cmap)(
        "mean", "Viridis256", low, max(high, low + 1e-12), nan_color="#dddddd"
    )
    kept = {c: table[c] for c in ("mean", "runs", "without")}
    if swept.grid:
        texts = {key: [cell(v) for v in table[key].unique().sort()] for key in (across, down)}
        plot = figure(**SIZE, x_range=texts[across], y_range=texts[down], title=swept.title)
        data = _source({"x": [cell(v) for v in table[across]], "y": [cell(v) for v in table[down]], **kept})
        cells = plot.rect("x", "y", 1, 1, source=data, fill_color=colours, line_color="white")
        plot.grid.visible = False
    else:
        kinds = {f"{axis}_axis_type": "log" if wide(table[k]) else "auto" for axis, k in (("x", across), ("y", down))}
        plot = figure(**SIZE, **kinds, title=swept.title)
        data = _source({"x": table[across], "y": table[down], **kept})
        cells = plot.scatter("x", "y", source=data, size=8, fill_color=colours, line_color=None)
    plot.xaxis.axis_label, plot.yaxis.axis_label = cell(across), cell(down)
    measure = swept.measure.replace("_", " ")
    tips = [(cell(across), "@x"), (cell(down), "@y"), (f"mean {measure}", "@mean"), ("runs", "@runs")]
    plot.add_tools(HoverTool(renderers=[cells], tooltips=[*tips, ("diverged or failed", "@without")]))
    plot.xaxis.major_label_orientation = 0.8
    plot.add_layout(ColorBar(color_mapper=colours.transform, width=10), "right")
    return plot


def _best(plot_data: PlotData) -> Any:
    best = plot_data.best
    assert best is not None
    unit = f" ({cell(best.unit)})" if best.unit else ""
    title = f"best run: {cell(plot_data.table['run'][0])}"
    plot = figure(**SIZE, x_axis_label=f"true{unit}", y_axis_label=f"predicted{unit}", title=title)
    for k, label in enumerate(best.labels):
        data = {"true": best.true[:, k], "predicted": best.predicted[:, k]}
        look = {"size": 7, "alpha": 0.8, "color": Category10[10][k], "legend_label": cell(label)}
        points = plot.scatter("true", "predicted", source=ColumnDataSource(data), **look)
        plot.add_tools(HoverTool(renderers=[points], tooltips=[("true", "@true"), ("predicted", "@predicted")]))
    plot.line(best.ends, best.ends, line_color="grey")
    plot.legend.location = "top_left"
    plot.legend.background_fill_alpha = 0.6
    return plot
