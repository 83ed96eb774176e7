"""The comparison as one PNG: loss curves, the gap against what was swept, the best run's predictions."""

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.comparison.curves import PlotData
from experiments.comparison.keys.picture import draw_keys
from experiments.comparison.keys.settings import settings_of
from experiments.comparison.picture_swept import draw_swept, linear, logarithmic, plain
from experiments.stored.predictions import Best

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NAMED = 8
"""Runs that the legend names; more are told apart by colour alone."""


def png(drawn: "Figure") -> bytes:
    """The bytes of a PNG."""
    file = io.BytesIO()
    drawn.savefig(file, format="png")
    return file.getvalue()


def figure(plots: list[PlotData], *, curves: bool = True, keys: bool = True) -> "Figure":
    """A row of panels for each group of runs that compare, and below them what the keys that were swept do."""
    rows: list[tuple[str, list[Panel]]] = []
    for plot in plots:
        panels: list[Panel] = [partial(_curves, plot_data=plot)] if curves else []
        panels += [partial(draw_swept, swept=plot.swept)] if plot.swept is not None else []
        panels += [partial(_best, best=plot.best, run=plot.table["run"][0])] if plot.best is not None else []
        rows.append((plot.group, panels))
    keyed = [settings for plot in plots if (settings := settings_of(plot)) is not None] if keys else []
    return laid_out(
        rows, [(partial(draw_keys, settings=settings), 8 if settings.importance else 5) for settings in keyed]
    )


Panel = Callable[[Any, Any], None]
"""Draws into the axes of a (sub)figure."""


def laid_out(rows: Sequence[tuple[str, Sequence[Panel]]], below: Sequence[tuple[Any, int]] = ()) -> "Figure":
    """A figure of a row of panels for each group, with its name where there are several; `below`, what draws into a
    subfigure of its own, and how high that is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    across = max((len(panels) for _, panels in rows), default=0)
    heights = [5] * max(1, len(rows)) + [height for _, height in below]
    drawn = Figure(figsize=(6.4 * max(1, across), sum(heights)), dpi=110, layout="constrained")
    FigureCanvasAgg(drawn)
    parts: Any = drawn.subfigures(len(heights), 1, squeeze=False, height_ratios=heights)
    for part, (draws, _) in zip(parts[len(heights) - len(below) :, 0], below, strict=True):
        draws(part)
    for part, (name, panels) in zip(parts[:, 0], rows, strict=False):
        if len(rows) > 1:
            part.suptitle(plain(name), fontweight="bold")
        if panels:
            places = part.subplots(1, across, squeeze=False)[0]
            for axes, panel in zip(places, panels, strict=False):
                panel(part, axes)
            for axes in places[len(panels) :]:
                axes.remove()
    return drawn


def _curves(_: Any, axes: Any, plot_data: PlotData) -> None:
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    count = len(plot_data.curves)
    few = count <= NAMED
    colours = colormaps["tab10"](range(count)) if few else colormaps["viridis"](np.linspace(0, 0.92, count))
    lines = [np.stack([e, y], axis=1)[y > 0] for e, y in plot_data.curves]
    drawn = LineCollection(lines[::-1], colors=colours[::-1], linewidths=1.6 if count <= 20 else 0.6)  # best on top
    axes.add_collection(drawn)
    axes.autoscale()
    axes.set_ylim(*plot_data.limits)
    logarithmic(axes.set_yscale, axes.yaxis)
    if few:
        for colour, name in zip(colours, plot_data.table["run"], strict=True):
            axes.plot([], [], color=colour, label=plain(name))
    if (optimum := plot_data.shown_optimum) is not None:
        label = f"smallest possible {optimum:.6g}"
        axes.axhline(optimum, color="crimson", linestyle="--", linewidth=1.2, label=label)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", loc="upper right")
    axes.grid(alpha=0.25)
    title = f"{count} run{'s' * (count != 1)}" + ("" if few else ", darkest the best")
    if plot_data.leaving:
        title += f"; {plot_data.leaving} leave at the top"
    linear(axes.xaxis)
    axes.set(xlabel="epoch", ylabel="loss over all training rows", title=title)


def _best(_: Any, axes: Any, best: Best, run: str) -> None:
    for k, label in enumerate(best.labels):
        axes.plot(best.true[:, k], best.predicted[:, k], "o", markersize=4, alpha=0.8, label=plain(label))
    axes.plot(best.ends, best.ends, color="grey", linewidth=1, label="exact")
    linear(axes.xaxis, axes.yaxis)
    axes.legend(fontsize="small", loc="upper left")
    axes.grid(alpha=0.25)
    unit = f" ({plain(best.unit)})" if best.unit else ""
    axes.set(xlabel=f"true{unit}", ylabel=f"predicted{unit}", title=f"best: {plain(run)}")
