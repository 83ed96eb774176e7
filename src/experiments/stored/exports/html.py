"""A run as a notebook shows it: what it came to, equations, metrics, loss curve and weights, as one piece of HTML."""

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from experiments.data.dataset import Dataset
from experiments.errors import harmless, one_line
from experiments.running.figures.canvas import png
from experiments.stored.cells import cell
from experiments.stored.equations import MOST_NAMED, outputs, spelled
from experiments.stored.exports.card import metric_rows
from experiments.stored.exports.plots import curve
from experiments.stored.exports.weight_errors import LARGEST, at_a_glance
from experiments.stored.stored_run import Run

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_METRICS = 24
MOST_WEIGHTS = 50
QUICK = LARGEST // 20
"""Training rows times inputs beyond which a run's weights are shown without their standard errors."""
STATUS = {"completed": "#009E73", "diverged": "#D55E00", "failed": "#D55E00"}
"""Its colour, where it is not grey."""


def of_run(run: Run, table: Dataset | None = None) -> str:
    """A run as one piece of HTML. `table`: its training rows, where they are in memory.

    Raises UserError, ValueError and OSError for a folder that is gone or damaged.
    """
    outcome, status = run.outcome, run.status
    said = [f"after {outcome.get('epochs', 0)} epochs"]
    said += [f"{outcome['steps']} steps"] if outcome.get("steps") is not None else []
    said += [f"lr {outcome['lr']:.6g}"] if outcome.get("lr") is not None else []
    folder, name, colour = run.folder, text(status.replace("_", " ")), STATUS.get(status, "#555555")
    head = (
        f'<p style="margin:0 0 6px"><b style="color:{colour}">{name}</b> {text(", ".join(said))} '
        f'<span style="opacity:.65" title="{text(folder.absolute())}">· <code>{text(folder.name)}</code></span></p>'
    )
    if run.result is None or status == "failed":
        error = (run.result or {}).get("error") or {}
        return framed(head + (f"<p>{text(error.get('message'))}</p>" if error else ""))
    beside = _metrics(run) + image(svg(curve(run).figure), "loss over the epochs", 430)
    parts = [head, _equations(run), f'<div style="display:flex;flex-wrap:wrap;gap:20px">{beside}</div>']
    return framed("".join([*parts, _weights(run, table)]))


def _equations(run: Run) -> str:
    model = run.model
    if model.weight is None or model.bias is None or max(model.weight.shape) > MOST_NAMED or run.status == "diverged":
        return ""
    lines = spelled(outputs(model.targets, model.classes), model.features, model.weight, model.bias)
    return f'<pre style="margin:0 0 8px;white-space:pre-wrap">{html.escape(chr(10).join(map(harmless, lines)))}</pre>'


def _metrics(run: Run) -> str:
    rows = metric_rows(run)
    held_out = any(held is not None for _, _, held in rows)
    shown = [row if held_out else row[:2] for row in rows[:MOST_METRICS]]
    more = f"<p>and {len(rows) - len(shown)} more, in .result</p>" if len(rows) > len(shown) else ""
    return f"<div>{table_of(('', 'training rows', 'held-out rows')[: 2 + held_out], shown)}{more}</div>"


def _weights(run: Run, table: Dataset | None) -> str:
    """Each weight beside the optimum's and its interval, folded up."""
    if (run.result or {})["rows"].get("train", 0) * len(run.model.features) > QUICK:
        return ""
    found = at_a_glance(run, table)
    if found is None or isinstance(found, str) or found.height > MOST_WEIGHTS:
        return ""
    rows = [
        (r["target"], r["feature"], r["trained"], r["optimum"], r["se"], f"{r['low']:.5g} to {r['high']:.5g}")
        for r in found.iter_rows(named=True)
    ]
    body = table_of(("target", "input", "trained", "optimum", "standard error", "95 % interval"), rows, names=2)
    return (
        '<details style="margin-top:6px"><summary>weights, and the standard errors of the optimum of least squares'
        f"</summary>{body}</details>"
    )


def table_of(headings: Sequence[str], rows: Iterable[Sequence[Any]], names: int = 1) -> str:
    """A table whose first `names` columns are names, the others numbers."""
    cells = "padding:2px 10px 2px 0;border-bottom:1px solid rgba(128,128,128,.25)"

    def line(tag: str, row: Sequence[Any]) -> str:
        aligned = ("left" if i < names else "right" for i in range(len(row)))
        return "".join(
            f'<{tag} style="text-align:{a};{cells}">{text(cell(v))}</{tag}>' for a, v in zip(aligned, row, strict=True)
        )

    body = "".join(f'<tr style="background:none">{line("td", row)}</tr>' for row in rows)
    return (
        '<table style="border-collapse:collapse;font-size:inherit;font-variant-numeric:tabular-nums">'
        f"<thead><tr>{line('th', headings)}</tr></thead><tbody>{body}</tbody></table>"
    )


class Figures(dict[str, "Figure"]):
    """Figures by their tags; a notebook shows them all."""

    def _repr_html_(self) -> str:
        shown = (image(png(figure), text(tag), int(60 * figure.get_figwidth())) for tag, figure in self.items())
        return framed(f'<div style="display:flex;flex-wrap:wrap;gap:12px">{"".join(shown)}</div>')


def svg(figure: "Figure") -> bytes:
    """The figure as SVG, the same for the same figure; its words stay words, in the reader's font."""
    from matplotlib import rc_context

    buffer = io.BytesIO()
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "experiments"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue()


def image(content: bytes, what: str, width: int) -> str:
    """A PNG or an SVG inside the page."""
    kind = "png" if content.startswith(b"\x89PNG") else "svg+xml"
    data = base64.b64encode(content).decode()
    return f'<img alt="{what}" width="{width}" style="max-width:100%" src="data:image/{kind};base64,{data}">'


def framed(body: str) -> str:
    """The frame round what a notebook shows of one object."""
    return f'<div class="experiments" style="font-size:13px;line-height:1.45;overflow-x:auto">{body}</div>'


def text(value: Any) -> str:
    """Any name or number as HTML shows it as it is."""
    return html.escape(one_line("" if value is None else value))
