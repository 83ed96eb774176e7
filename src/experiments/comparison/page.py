"""The comparison as one HTML file that needs no network: a table to sort, filter and select in, the curves, a picture.

Bokeh carries its own script into the page (2 MB, where plotly needs 4.8) and draws on a canvas, so that a thousand
curves move without delay. `page.js` shows in the curves what the table has after filtering and selecting. The picture
is what `--png` draws beside the curves.
"""

# bokeh makes its models' arguments from properties, which pyright cannot see
# pyright: reportArgumentType=false, reportCallIssue=false

from base64 import b64encode
from importlib import resources
from typing import Any

from bokeh.document import Document
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import BooleanFilter, Button, CDSView, CustomJS, Div, TextInput
from bokeh.resources import INLINE

from experiments.comparison.curves import PlotData
from experiments.comparison.page_curves import curves
from experiments.comparison.page_table import FEW, data_table, names, ranks, table_source
from experiments.comparison.picture import draw

HINT = "Click a row to show its curve alone (Ctrl, Shift: several), or click a curve; click a heading to sort."
ASK = "filter: words, or conditions such as lr<0.01 status=completed"
CLEAR = "input.value = ''; input.value_input = ''; rows.selected.indices = [];"
WIDE: dict[str, Any] = {"sizing_mode": "stretch_width"}


def page(plot_data: PlotData) -> bytes:
    """The page's bytes, UTF-8."""
    count = plot_data.table.height
    rows, chosen = table_source(plot_data), BooleanFilter()
    drawn = curves(plot_data, rows)
    field = TextInput(placeholder=ASK, **WIDE)
    said = Div(text=f"{count} runs", width=170, styles={"padding-top": "8px"})
    clear = Button(label="show all", width=80)
    texts = [name for name in names(plot_data) if not plot_data.table.schema[name].is_numeric()]
    shared = {
        "rows": rows, "chosen": chosen, "input": field, "count": said, "lines": drawn.lines, "all": drawn.all,
        "some": drawn.some, "glyph": drawn.glyph, "mark": drawn.mark, "names": names(plot_data), "texts": texts,
        "ranks": ranks(count), "few": FEW,
    }  # fmt: skip
    code = (resources.files("experiments.comparison") / "page.js").read_text(encoding="utf-8")
    update = CustomJS(args={**shared, "hash": False}, code=code)
    field.js_on_change("value_input", update)
    rows.selected.js_on_change("indices", update)
    clear.js_on_event("button_click", CustomJS(args={"rows": rows, "input": field}, code=CLEAR))
    table = data_table(plot_data, rows, CDSView(filter=chosen))
    left = column(row(field, clear, said, **WIDE), table, Div(text=HINT), **WIDE)
    document = Document()
    document.add_root(column(row(left, drawn.plot, **WIDE), *_picture(plot_data), **WIDE))
    document.js_on_event("document_ready", CustomJS(args={**shared, "hash": True}, code=code))
    return file_html(document, INLINE, title=f"{count} runs").encode()


def _picture(plot_data: PlotData) -> list[Div]:
    """The panels that there is something for."""
    if plot_data.swept is None and plot_data.best is None:
        return []
    content = b64encode(draw(plot_data, curves=False)).decode()
    return [Div(text=f'<img src="data:image/png;base64,{content}" style="max-width: 100%">', **WIDE)]
