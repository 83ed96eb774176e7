"""What pages are put together from: how numbers look, figures, the table with its source, and pictures."""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from base64 import b64encode
from html import escape
from typing import Any

import polars as pl
from bokeh.models import (
    CDSView,
    ColumnDataSource,
    CustomJSTickFormatter,
    DataTable,
    Div,
    HTMLTemplateFormatter,
    StringFormatter,
    TableColumn,
)
from bokeh.palettes import Viridis256
from bokeh.plotting import figure

from experiments.comparison.printing import headings
from experiments.stored.cells import cell

NUMBER = r"""(v => typeof v !== "number" || Number.isNaN(v) ? "" :
    v === 0 || (Math.abs(v) >= 1e-4 && Math.abs(v) < 1e6) ? String(Number(v.toPrecision(6)))
        : Number(v.toPrecision(6)).toExponential().replace(/e(.)(\d)$/, "e$10$2"))"""
"""JavaScript: a number as everywhere else, with six digits, 1e-05."""
RIGHT = f'<div style="text-align: right"><%= {NUMBER}(value) %></div>'
SWATCH = '<div style="color: <%= value %>; text-align: center">■</div>'
WIDTH = {"run": 170, "status": 78, "seed": 48}
WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}


def plot(title: str, **options: Any) -> Any:
    """A bokeh figure as wide as there is room, with numbers as everywhere else, to pan and to zoom."""
    made = figure(title=title, tools="pan,wheel_zoom,box_zoom,reset,save", **WIDE, **options)
    made.axis.formatter = CustomJSTickFormatter(code=f"return {NUMBER}(tick);")
    return made


def embedded(png: bytes) -> Div:
    """A picture within the page."""
    content = b64encode(png).decode()
    return Div(text=f'<img src="data:image/png;base64,{content}" style="max-width: 100%">', **WIDE)


def ranks(count: int) -> list[str]:
    """A colour for each rank, the best darkest."""
    return [Viridis256[int(235 * i / max(1, count - 1))] for i in range(count)]


def table_source(shown: pl.DataFrame, colours: list[str]) -> ColumnDataSource:
    """A row per run, best first; numbers as float64 with NaN for nothing, everything else as text."""
    data: dict[str, Any] = {}
    for values in shown:
        if values.dtype.is_numeric():
            data[values.name] = values.cast(float).fill_null(float("nan")).to_numpy()
        else:
            data[values.name] = [cell(value, 200) for value in values]
    return ColumnDataSource(data | {"_colour": colours})


def data_table(shown: pl.DataFrame, source: ColumnDataSource, view: CDSView, height: int) -> DataTable:
    """The table itself; a click on a heading sorts, a click on a row selects."""
    made = [TableColumn(field="_colour", title="", formatter=HTMLTemplateFormatter(template=SWATCH), width=24,
                        sortable=False)]  # fmt: skip
    for values, heading in zip(shown, headings(shown.columns), strict=True):
        longest = max(len(heading), *(len(cell(v)) for v in values.head(200)))
        number = values.dtype.is_numeric()
        width = WIDTH.get(values.name, 18 + 6 * (longest if number else min(longest, 24)))
        form = HTMLTemplateFormatter(template=RIGHT) if number else StringFormatter(nan_format="")
        made.append(
            TableColumn(field=values.name, title=escape(heading), formatter=form, width=width, default_sort="ascending")
        )
    return DataTable(
        source=source, view=view, columns=made, height=height, sizing_mode="stretch_width", index_position=None,
        autosize_mode="none", selectable=True, reorderable=False, row_height=23, frozen_columns=2,
    )  # fmt: skip
