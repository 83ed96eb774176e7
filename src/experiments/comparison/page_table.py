"""The page's table: its columns, how numbers look, and the source that its rows and the filter read."""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from html import escape
from typing import Any

from bokeh.models import CDSView, ColumnDataSource, DataTable, HTMLTemplateFormatter, StringFormatter, TableColumn
from bokeh.palettes import Category10, Viridis256

from experiments.comparison.choosing import columns as shown_columns
from experiments.comparison.curves import PlotData
from experiments.comparison.printing import headings
from experiments.comparison.runs_table import SHOWN, Runs
from experiments.stored.cells import cell

FEW = list(Category10[10])
"""Colours of the curves while at most so many are shown."""
NUMBER = """<div style="text-align: right"><%= typeof value === "number" && !Number.isNaN(value)
    ? (Math.abs(value) >= 1e-4 && Math.abs(value) < 1e6 || value === 0
        ? String(Number(value.toPrecision(6))) : Number(value.toPrecision(6)).toExponential()) : "" %></div>"""
SWATCH = '<div style="color: <%= value %>; text-align: center">■</div>'
WIDTH = {"run": 170, "status": 78, "seed": 48}


def names(plot_data: PlotData) -> list[str]:
    """The columns that are shown: run, keys of every run, status and metrics, then keys that only some runs have."""
    shown = shown_columns(Runs(plot_data.table, plot_data.varied), plot_data.table, None).columns
    return sorted(shown, key=lambda name: name not in SHOWN and plot_data.table[name].null_count() > 0)


def ranks(count: int) -> list[str]:
    """A colour for each rank, the best darkest."""
    return [Viridis256[int(235 * i / max(1, count - 1))] for i in range(count)]


def table_source(plot_data: PlotData) -> ColumnDataSource:
    """A row per run, best first; numbers as float64 with NaN for nothing, everything else as text."""
    data: dict[str, Any] = {}
    for name in names(plot_data):
        values = plot_data.table[name]
        if values.dtype.is_numeric():
            data[name] = values.cast(float).fill_null(float("nan")).to_numpy()
        else:
            data[name] = [cell(value, 200) for value in values]
    data["_colour"] = ranks(plot_data.table.height)
    return ColumnDataSource(data)


def data_table(plot_data: PlotData, source: ColumnDataSource, view: CDSView) -> DataTable:
    """The table itself; a click on a heading sorts, a click on a row selects."""
    shown = names(plot_data)
    made = [TableColumn(field="_colour", title="", formatter=HTMLTemplateFormatter(template=SWATCH), width=24,
                        sortable=False)]  # fmt: skip
    for name, heading in zip(shown, headings(shown), strict=True):
        if plot_data.table.schema[name].is_numeric():
            longest = max((len(cell(v)) for v in plot_data.table[name].head(200)), default=0)
            width = WIDTH.get(name, 18 + 6 * max(longest, len(heading)))
            form: Any = HTMLTemplateFormatter(template=NUMBER)
        else:
            longest = max((len(cell(v)) for v in plot_data.table[name].head(200)), default=0)
            width = WIDTH.get(name, min(160, 18 + 6 * max(longest, len(heading))))
            form = StringFormatter(nan_format="")
        made.append(
            TableColumn(field=name, title=escape(heading), formatter=form, width=width, default_sort="ascending")
        )
    return DataTable(
        source=source, view=view, columns=made, height=540, sizing_mode="stretch_width", index_position=None,
        autosize_mode="none", selectable=True, reorderable=False, row_height=23, frozen_columns=2,
    )  # fmt: skip
