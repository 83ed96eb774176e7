"""The comparison as one PNG: loss curves, the gap against what was swept, the best run's predictions."""

import io
from typing import Any

import numpy as np

from experiments.comparison.curves import PlotData
from experiments.comparison.picture_swept import draw_swept, plain

NAMED = 8
"""Runs that the legend names; more are told apart by colour alone."""


def draw(plot_data: PlotData, *, curves: bool = True) -> bytes:
    """The PNG's bytes, with or without the loss curves."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [_curves] * curves + [_swept] * (plot_data.swept is not None) + [_best] * (plot_data.best is not None)
    figure = Figure(figsize=(6.4 * len(panels), 5), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        panel(figure, axes, plot_data)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _curves(_: Any, axes: Any, plot_data: PlotData) -> None:
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    count = len(plot_data.curves)
    few = count <= NAMED
    colours = colormaps["tab10"](range(count)) if few else colormaps["viridis"](np.linspace(0, 0.92, count))
    lines = [np.stack([e, y], axis=1)[y > 0] for e, y in plot_data.curves]
    drawn = LineCollection(lines[::-1], colors=colours[::-1], linewidths=1.6 if count <= 20 else 0.6)  # best on top
    axes.add_collection(drawn)
    axes.set_yscale("log")
    axes.autoscale()
    axes.set_ylim(*plot_data.limits)
    if few:
        for colour, name in zip(colours, plot_data.table["run"], strict=True):
            axes.plot([], [], color=colour, label=plain(name))
    if plot_data.optimum is not None and plot_data.optimum > plot_data.limits[0]:
        label = f"smallest possible {plot_data.optimum:.6g}"
        axes.axhline(plot_data.optimum, color="crimson", linestyle="--", linewidth=1.2, label=label)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small", loc="upper right")
    axes.grid(alpha=0.25)
    title = f"{count} run{'s' * (count != 1)}" + ("" if few else ", darkest the best")
    if plot_data.leaving:
        title += f"; {plot_data.leaving} leave at the top"
    axes.set(xlabel="epoch", ylabel="loss over all training rows", title=title)


def _swept(figure: Any, axes: Any, plot_data: PlotData) -> None:
    assert plot_data.swept is not None
    draw_swept(figure, axes, plot_data.swept)


def _best(_: Any, axes: Any, plot_data: PlotData) -> None:
    best = plot_data.best
    assert best is not None
    for k, label in enumerate(best.labels):
        axes.plot(best.true[:, k], best.predicted[:, k], "o", markersize=4, alpha=0.8, label=plain(label))
    axes.plot(best.ends, best.ends, color="grey", linewidth=1, label="exact")
    axes.legend(fontsize="small", loc="upper left")
    axes.grid(alpha=0.25)
    unit = f" ({plain(best.unit)})" if best.unit else ""
    name = f"best: {plain(plot_data.table['run'][0])}"
    axes.set(xlabel=f"true{unit}", ylabel=f"predicted{unit}", title=name)
