"""The comparison as one HTML file that needs no network: a table to sort, filter and select in, the curves, a picture.

Bokeh carries its own script into the page (2 MB, where plotly needs 4.8) and draws on a canvas, so that a thousand
curves move without delay. `page.js` shows in the curves what the table has after filtering and selecting. The picture
is what `--png` draws beside the curves.
"""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from collections.abc import Sequence
from html import escape
from importlib import resources

import polars as pl
from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import BooleanFilter, Button, CDSView, CustomJS, Div, TextInput
from bokeh.palettes import Category10
from bokeh.resources import INLINE

from experiments.comparison.choosing import default_columns
from experiments.comparison.curves import PlotData
from experiments.comparison.keys.page import panels
from experiments.comparison.keys.settings import settings_of
from experiments.comparison.page_curves import curves
from experiments.comparison.page_parts import WIDE, data_table, embedded, ranks, table_source
from experiments.comparison.picture import figure, png
from experiments.comparison.runs_table import Runs
from experiments.stored.cells import cell

FEW = list(Category10[10])
"""Colours of the curves while at most so many are shown."""
HINT = "Click a row to show its curve alone (Ctrl, Shift: several), or click a curve; click a heading to sort."
ASK = "filter: words, or a condition as of --where: lr < 0.01 and status = 'completed'"
CLEAR = "input.value = ''; input.value_input = ''; rows.selected.indices = [];"


def page(plots: list[PlotData], notes: Sequence[str] = ()) -> bytes:
    """The page's bytes, UTF-8: all runs in one table, a figure of curves for each group of runs that compare.

    `notes`: what the reader is to know, as that these runs are the best of more.
    """
    table = pl.concat([plot.table for plot in plots])
    shown = default_columns(Runs(table, plots[0].varied), table)
    count, colours = table.height, [colour for plot in plots for colour in ranks(plot.table.height)]
    rows, chosen = table_source(shown, colours), BooleanFilter()
    begins = [sum(plot.table.height for plot in plots[:k]) for k in range(len(plots))]
    height = max(300, 600 // len(plots))
    drawn = [curves(plot, shown, rows, begin, height) for plot, begin in zip(plots, begins, strict=True)]
    field = TextInput(placeholder=ASK, **WIDE)
    said = Div(text=f"{count} runs", width=170, styles={"padding-top": "8px"})
    clear = Button(label="show all", width=80)
    shared = {
        "rows": rows, "chosen": chosen, "input": field, "count": said, "colours": colours, "few": FEW,
        "panels": [parts for _, parts in drawn], "names": shown.columns,
        "numeric": [name for name in shown.columns if shown.schema[name].is_numeric()],
    }  # fmt: skip
    scripts = resources.files("experiments.comparison")
    code = "".join((scripts / name).read_text(encoding="utf-8") for name in ("filter.js", "page.js"))
    update = CustomJS(args={**shared, "hash": False}, code=code)
    field.js_on_change("value_input", update)
    rows.selected.js_on_change("indices", update)
    clear.js_on_event("button_click", CustomJS(args={"rows": rows, "input": field}, code=CLEAR))
    made = data_table(shown, rows, CDSView(filter=chosen), height * len(plots) - 60)
    told = "<br>".join(escape(f"note: {cell(note, 300)}") for note in notes)
    left = column(row(field, clear, said, **WIDE), made, Div(text=f"{HINT}<br>{told}"), **WIDE)
    right = column(*(plot for plot, _ in drawn), **WIDE)
    document = Document()
    keyed = [panels(settings) for plot in plots if (settings := settings_of(plot)) is not None]
    pictured = any(plot.swept is not None or plot.best is not None for plot in plots)
    picture = [embedded(png(figure(plots, curves=False, keys=False)))] if pictured else []
    document.add_root(column(row(left, right, **WIDE), *picture, *keyed, **WIDE))
    document.js_on_event("document_ready", CustomJS(args={**shared, "hash": True}, code=code))
    return file_html(document, INLINE, title=f"{count} runs").encode()
