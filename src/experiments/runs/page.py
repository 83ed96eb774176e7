"""The comparison as one HTML file that needs no network: a table to sort, filter and select in, and the curves.

Bokeh carries its own script into the page (2 MB, where plotly needs 4.8) and draws on a canvas, so that a
thousand curves move without delay. Its table and its curves share one source: what is selected in the one is
shown in the other.
"""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from typing import Any

import numpy as np
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import (
    BooleanFilter,
    CDSView,
    ColumnDataSource,
    CustomJS,
    DataTable,
    Div,
    HoverTool,
    NumberFormatter,
    ScientificFormatter,
    Span,
    StringFormatter,
    TableColumn,
    TextInput,
)
from bokeh.palettes import Viridis256
from bokeh.plotting import figure
from bokeh.resources import INLINE

from experiments.runs.cells import cell
from experiments.runs.choosing import columns as shown_columns
from experiments.runs.curves import Material, gaps, measured
from experiments.runs.printing import headings
from experiments.runs.table import SHOWN, Runs

TOOLS = "pan,wheel_zoom,box_zoom,reset,save,tap"
FILTER = """
    const comparisons = { '<': (a, b) => a < b, '<=': (a, b) => a <= b, '>': (a, b) => a > b, '>=': (a, b) => a >= b,
                          '=': (a, b) => a == b, '!=': (a, b) => a != b };
    const short = names.map(n => n.split('.').pop());
    const column = word => {
        if (names.includes(word)) return source.data[word];
        const at = short.indexOf(word);
        return at < 0 ? null : source.data[names[at]];
    };
    const wanted = input.value.trim().split(/\\s+/).filter(w => w.length);
    const tests = wanted.map(word => {
        const parts = word.match(/^([\\w.\\/]+?)(<=|>=|!=|=|<|>)(.+)$/);
        const values = parts && column(parts[1]);
        if (values) {
            const number = Number(parts[3]), holds = comparisons[parts[2]];
            return i => Number.isNaN(number) ? holds(String(values[i]), parts[3])
                                             : values[i] !== '' && !Number.isNaN(values[i]) && holds(values[i], number);
        }
        return i => texts.some(n => String(source.data[n][i]).toLowerCase().includes(word.toLowerCase()));
    });
    const kept = Array.from({ length: source.get_length() }, (_, i) => tests.every(test => test(i)));
    chosen.booleans = kept;
    count.text = `${kept.filter(k => k).length} of ${kept.length} runs`;
"""
HASH = """
    const words = decodeURIComponent(window.location.hash.slice(1));
    if (words) { field.value = words; }
"""


def page(material: Material) -> bytes:
    """The page's bytes, UTF-8."""
    source = _source(material)
    chosen = BooleanFilter()
    view = CDSView(filter=chosen)
    names = _names(material)
    texts = [n for n in names if not material.table.schema[n].is_numeric()]
    input = TextInput(title="filter: words, or conditions such as lr<0.01 status=completed", width=520)
    count = Div(text=f"{material.table.height} runs", width=200)
    shared = {"source": source, "input": input, "chosen": chosen, "count": count, "names": names, "texts": texts}
    input.js_on_change("value", CustomJS(args=shared, code=FILTER))
    input.js_on_change("value_input", CustomJS(args=shared, code=FILTER.replace("input.value.", "input.value_input.")))
    panels = [panel for panel in (_gaps(material), _best(material)) if panel is not None]
    hint = Div(text="Click rows (Ctrl, Shift: several) to show only their curves; click a heading to sort.", width=520)
    layout = column(
        row(input, column(count, hint)),
        row(_table(material, names, source, view), _curves(material, source, view)),
        *([row(*panels)] if panels else []),
    )
    from bokeh.document import Document

    document = Document()
    document.add_root(layout)
    document.js_on_event("document_ready", CustomJS(args={"input": input}, code=HASH))
    return file_html(document, INLINE, title=f"{material.table.height} runs").encode()


def _names(material: Material) -> list[str]:
    return shown_columns(Runs(material.table, material.varied), material.table, None).columns


def _source(material: Material) -> ColumnDataSource:
    data: dict[str, Any] = {}
    for name in _names(material):
        values = material.table[name]
        if values.dtype.is_numeric():
            data[name] = values.cast(float).fill_null(float("nan")).to_numpy()
        else:
            data[name] = [cell(value, 200) for value in values]
    count = material.table.height
    data["_epochs"] = [epochs.astype(np.float32) for epochs, _ in material.curves]
    data["_losses"] = [losses.astype(np.float32) for _, losses in material.curves]
    data["_colour"] = [Viridis256[int(235 * i / max(1, count - 1))] for i in range(count)]
    return ColumnDataSource(data)


def _table(material: Material, names: list[str], source: ColumnDataSource, view: CDSView) -> DataTable:
    made, blank = [], {"nan_format": "", "text_align": "right"}
    for name, heading in zip(names, headings(names), strict=True):
        if material.table.schema[name].is_numeric():
            whole = material.table.schema[name].is_integer()
            form = (
                NumberFormatter(format="0", **blank)
                if whole
                else ScientificFormatter(
                    precision=5, power_limit_low=-4, power_limit_high=6, nan_format="", text_align="right"
                )
            )
            made.append(TableColumn(field=name, title=heading, formatter=form, width=90, default_sort="ascending"))
        else:
            width = 260 if name == "run" else 90
            made.append(TableColumn(field=name, title=heading, formatter=StringFormatter(nan_format=""), width=width))
    return DataTable(
        source=source, view=view, columns=made, width=760, height=520, index_position=None, autosize_mode="none",
        selectable=True, reorderable=False,
    )  # fmt: skip


def _curves(material: Material, source: ColumnDataSource, view: CDSView) -> Any:
    plot = figure(
        width=760, height=520, y_axis_type="log", tools=TOOLS, active_scroll="wheel_zoom",
        x_axis_label="epoch", y_axis_label="loss over all training rows", title="training loss, darkest the best",
    )  # fmt: skip
    lines = plot.multi_line(
        "_epochs", "_losses", source=source, view=view, line_color="_colour", line_width=1.2,
        line_alpha=0.7, selection_line_width=2.5, selection_line_alpha=1, nonselection_line_alpha=0,
        hover_line_color="crimson", hover_line_width=3, hover_line_alpha=1,
    )  # fmt: skip
    shown = ["run", *material.varied[:8], *(n for n in SHOWN if n in source.data)]
    tips = [(heading, "@{" + name + "}") for heading, name in zip(headings(shown), shown, strict=True)]
    tips += [("epoch", "$data_x{0}"), ("loss", "$data_y")]
    plot.add_tools(HoverTool(renderers=[lines], tooltips=tips, line_policy="nearest", show_arrow=False))
    if material.optimum is not None and material.optimum > 0:
        line = Span(location=material.optimum, dimension="width", line_color="crimson", line_dash="dashed")
        plot.add_layout(line)
        plot.title.text += f"; dashed: smallest possible {material.optimum:.6g}"  # type: ignore[union-attr]
    return plot


def _gaps(material: Material) -> Any:
    """The gap against one varied key (mean, least to largest), or a heat map over two."""
    if not material.keys:
        return None
    found, measure = gaps(material), measured(material)
    if not found.height:
        return None
    size: dict[str, Any] = {"width": 760, "height": 400, "tools": "pan,box_zoom,reset,save"}
    if len(material.keys) == 2:
        return _heat(material, found, measure, size)
    key = material.keys[0]
    x = found[key].to_numpy()
    ratio = x.min() > 0 and x.max() > 20 * x.min()
    logarithmic = found["min"].min() > 0  # type: ignore[operator]
    plot = figure(
        **size, x_axis_type="log" if ratio else "linear", y_axis_type="log" if logarithmic else "linear",
        x_axis_label=key, y_axis_label=measure, title=f"{measure} against {key}: mean, least to largest",
    )  # fmt: skip
    data = ColumnDataSource({"x": x, **{k: found[k].to_numpy() for k in ("mean", "min", "max")}})
    plot.varea("x", "min", "max", source=data, fill_alpha=0.2)
    plot.line("x", "mean", source=data, line_width=2)
    points = plot.scatter("x", "mean", source=data, size=7)
    plot.add_tools(
        HoverTool(renderers=[points], tooltips=[(key, "@x"), *((k, f"@{k}") for k in ("mean", "min", "max"))])
    )
    return plot


def _heat(material: Material, found: Any, measure: str, size: dict[str, Any]) -> Any:
    from bokeh.transform import linear_cmap, log_cmap

    across, down = material.keys
    texts = {key: [cell(v) for v in found[key]] for key in (across, down)}
    ranges = {key: [cell(v) for v in found[key].unique().sort()] for key in (across, down)}
    low, high = float(found["mean"].min()), float(found["mean"].max())
    plot = figure(
        **size, x_range=ranges[across], y_range=ranges[down], x_axis_label=across, y_axis_label=down,
        title=f"mean {measure}: dark is least",
    )  # fmt: skip
    data = ColumnDataSource({"x": texts[across], "y": texts[down], "mean": found["mean"].to_numpy()})
    colours = (log_cmap if low > 0 else linear_cmap)("mean", "Viridis256", low, max(high, low + 1e-12))
    cells = plot.rect("x", "y", 1, 1, source=data, fill_color=colours, line_color=None)
    plot.add_tools(HoverTool(renderers=[cells], tooltips=[(across, "@x"), (down, "@y"), (measure, "@mean")]))
    plot.xaxis.major_label_orientation = 0.8
    return plot


def _best(material: Material) -> Any:
    if material.best is None:
        return None
    true, predicted, targets = material.best
    name = cell(material.table["run"][0])
    plot = figure(width=760, height=400, x_axis_label="true", y_axis_label="predicted", title=f"best run: {name}")
    for k, target in enumerate(targets[:10]):
        colour = Viridis256[(40 + 180 * k // max(1, min(9, len(targets) - 1))) % 256]
        plot.scatter(true[:, k], predicted[:, k], size=7, alpha=0.8, color=colour, legend_label=cell(target))
    ends = [float(true.min()), float(true.max())]
    plot.line(ends, ends, line_color="grey")
    plot.legend.location = "top_left"
    return plot
