"""The paper that the figures are drawn on: colours, words made safe, and the PNG. Imports matplotlib when called.

Only matplotlib's objects are used, never pyplot: it costs less to import and leaves no figure in a global list.
"""

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which people with any kind of colour blindness can tell apart.
BLUE, ORANGE, GREEN, RED, SKY, GREY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#56B4E9", "#555555"
MAX_POINTS = 2000  # more points make a blot, and a slow figure
CROWDED = 200
DIVERGED = 1e30  # beyond this a weight is noise, and squares of it leave the range of a plot

Column = tuple[str, str | None]
"""Name and unit of a feature or target."""


def blank(width: float = 7.2, height: float = 5.6) -> "Figure":
    """An empty figure of that many inches, at 120 dots an inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=120, facecolor="white", layout="constrained")
    FigureCanvasAgg(figure)
    return figure


class Picture(bytes):
    """A PNG that knows the figure it was made of."""

    figure: "Figure"


def png(figure: "Figure", title: str | None = None) -> Picture:
    """The figure's bytes below its title, the same for the same figure and version of matplotlib."""
    if title is not None:
        figure.suptitle(title, fontsize=13, weight="bold")
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        # A name in a script that the font lacks shows as boxes: no reason to disturb the run.
        warnings.filterwarnings("ignore", message="Glyph .* missing from (current )?font")
        figure.savefig(buffer, format="png")
    made = Picture(buffer.getvalue())
    made.figure = figure
    return made


def diverged(title: str, what: str) -> Picture:
    """A figure that says why there is no picture."""
    text = f"The {what} are not finite: the run diverged. Try a smaller learning rate."
    figure = blank(7.2, 2.4)
    figure.text(0.5, 0.68, title, ha="center", va="center", fontsize=13, weight="bold")
    figure.text(0.5, 0.38, text, ha="center", va="center", fontsize=10.5, color=GREY, wrap=True)
    return png(figure)


def sane(*arrays: np.ndarray) -> bool:
    """Whether every number can be drawn: finite, and not blown up by a diverged run."""
    return all(bool(np.all(np.abs(array) < DIVERGED)) for array in arrays)  # NaN compares as False


def sample(rows: int) -> np.ndarray:
    """Indices of at most MAX_POINTS rows, drawn without order so that a sorted table is shown evenly."""
    if rows <= MAX_POINTS:
        return np.arange(rows)
    return np.random.default_rng(0).choice(rows, MAX_POINTS, replace=False)


def word(name: str, longest: int = 28) -> str:
    """A name as plain text: shortened in its midst, and with no `$`, which would start a formula."""
    end = longest // 3
    short = name if len(name) <= longest else f"{name[: longest - end - 1]}…{name[-end:]}"
    return short.replace("$", r"\$")


def labelled(column: Column, more: str = "") -> str:
    """`name (unit)`, or the name alone; `more` goes after the name."""
    name, unit = column
    return f"{word(name)}{more}{f' ({word(unit)})' if unit else ''}"


def measured(value: float, unit: str | None) -> str:
    """Four digits and the unit."""
    return f"{value:.4g}{f' {word(unit)}' if unit else ''}"


def plain_axes(axes: Any, **settings: Any) -> None:
    """A light grid below the points, no frame at the top and right, and what `Axes.set` takes."""
    axes.set(**settings)
    axes.grid(color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def dots(crowded: bool) -> dict[str, Any]:
    """How points are drawn: small and bare where there are many."""
    size, edge = (2.5, 0) if crowded else (6.5, 0.7)
    return {"markersize": size, "markeredgewidth": edge, "markeredgecolor": "white"}


def picture(row: np.ndarray, image: tuple[int, ...], colours: bool = True) -> np.ndarray:
    """A row (pixels,) of that shape for `imshow`: (h, w), or (h, w, 3) within 0 and 1 for three channels.

    Without `colours`, and for other numbers of channels, the mean over them.
    """
    pixels = row.reshape((1,) * (3 - len(image)) + tuple(image))
    if len(pixels) != 3 or not colours:
        return pixels.mean(0)
    return np.moveaxis((pixels - pixels.min()) / max(float(np.ptp(pixels)), 1e-300), 0, 2)


def limits(values: np.ndarray, margin: float = 0.06) -> tuple[float, float]:
    """A range around the values that is never empty, not even for a constant column."""
    low, high = float(values.min()), float(values.max())
    spread = high - low
    if spread <= 1e-9 * max(abs(low), abs(high)):
        spread = max(abs(low), 1.0)
    return low - margin * spread, high + margin * spread
