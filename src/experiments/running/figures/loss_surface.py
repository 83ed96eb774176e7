"""The path of descent on a map of the loss."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.running.figures import canvas
from experiments.running.figures.landscape import Landscape, Slice, slice_of

GRID = 161
GRID_OF_CALLS = 31  # where every point costs a call of the loss
MAX_PATH = 500  # points of the path that are drawn
RUNAWAY = 10.0  # a path that goes this many times farther than it began is cut: the rest would be a canvas.blank map
STANDARDIZED = (
    "The weights are those of the standardised columns that were trained on; the loss is in the table's units."
)


@dataclass(frozen=True)
class Map:
    """What is drawn: the plane with the loss on it, the path (k, 2 or 1) in its coordinates, and the legend's words."""

    plane: Slice
    loss: Callable[[np.ndarray], np.ndarray]
    track: np.ndarray
    start: str
    end: str
    optimum: str | None
    loss_name: str
    grid: int


def loss_surface(
    path: np.ndarray, landscape: Landscape, optimum: np.ndarray | None = None, loss_name: str = "mean squared error"
) -> canvas.Picture:
    """Contours of the loss over a plane, with the path of descent, its start, its end and the exact optimum.

    path (k, params) and `optimum` (params,): the weights as the landscape takes them.
    """
    title = "Path of descent on the loss surface"
    finite = np.array([canvas.sane(row) for row in path], dtype=bool)
    if not len(path) or not finite[0]:
        return canvas.diverged(title, "weights")
    kept = path[: len(path) if finite.all() else int(np.argmin(finite))]
    centre = kept[-1] if optimum is None else optimum
    distance = np.linalg.norm(kept - centre, axis=1)
    far = distance > RUNAWAY * distance[0]
    if optimum is not None and far.any() and distance[0] > 0:
        kept = kept[: int(np.argmax(far))]
    plane, cut = slice_of(kept, centre, landscape), len(path) - len(kept)
    thinned = kept[np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MAX_PATH)).round().astype(int))]
    drawn = Map(
        plane, landscape.on(plane), plane.project(thinned), start=f"start: {landscape.at(kept[0]):.5g}",
        end=f"{'last shown' if cut else 'end'}: {landscape.at(kept[-1]):.5g}",
        optimum=None if optimum is None else f"exact optimum: {landscape.at(optimum):.5g}",
        loss_name=loss_name, grid=GRID if landscape.squares_alone else GRID_OF_CALLS,
    )  # fmt: skip
    figure = canvas.blank(7.6, 5.9)
    (_draw_map if len(plane.directions) == 2 else _draw_curve)(figure, drawn)
    notes = [STANDARDIZED] if landscape.standardized else []
    if cut:
        notes.append(f"The path ran away: its last {cut:,} of {len(path):,} points lie off the map.")
    elif optimum is not None and len(thinned) == 1 and path.shape[1] > 2:
        notes.append("All other weights stand at their optimum.")
    figure.supxlabel("\n".join(notes), fontsize=9, color=canvas.RED if cut else canvas.GREY)
    return canvas.png(figure, title)


def _draw_map(figure: Any, drawn: Map) -> None:
    from matplotlib.patheffects import Normal, Stroke

    plane, shift = drawn.plane, drawn.plane.shift
    seen = np.vstack([drawn.track, np.zeros((1, 2))])
    sides = [np.linspace(*canvas.limits(seen[:, k], 0.18), drawn.grid) for k in range(2)]
    u, v = np.meshgrid(*sides)
    heights = drawn.loss(np.column_stack([u.ravel(), v.ravel()])).reshape(u.shape)
    axes, track = figure.add_subplot(), drawn.track + shift
    least = float(drawn.loss(np.zeros((1, 2)))[0])
    _contours(figure, axes, (u + shift[0], v + shift[1], np.where(np.isfinite(heights), heights, np.nan)), least, drawn)
    halo = [Stroke(linewidth=3.2, foreground="black", alpha=0.55), Normal()]
    dense = len(track) > 120
    axes.plot(*track.T, "-" if dense else ".-", color="white", linewidth=1.5, markersize=5, path_effects=halo)
    mark = {"linestyle": "", "markeredgecolor": "black", "markersize": 9, "zorder": 5, "clip_on": False}
    axes.plot(*track[0], "o", color="white", label=drawn.start, **mark)
    if len(track) > 1:
        axes.plot(*track[-1], "s", color=canvas.RED, label=drawn.end, **mark)
    if drawn.optimum:
        axes.plot(*shift, "*", color=canvas.ORANGE, label=drawn.optimum, **{**mark, "markersize": 17, "zorder": 6})
    axes.set(xlabel=plane.labels[0], ylabel=plane.labels[1])
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.005), ncols=3, fontsize=9, frameon=False,
        columnspacing=1.4, handletextpad=0.2,
    )  # fmt: skip


def _contours(figure: Any, axes: Any, surface: tuple[np.ndarray, ...], least: float, drawn: Map) -> None:
    """Levels a constant factor apart, from `least` or a hundred-millionth of the largest."""
    from matplotlib.colors import LogNorm
    from matplotlib.ticker import LogFormatterSciNotation, LogLocator

    u, v, heights = surface
    top = float(np.nanmax(heights))
    bottom = max(float(np.nanmin(heights)), least, 1e-8 * top, 1e-300)
    if not top > bottom * (1 + 1e-9):
        return
    levels, clipped, wide = np.geomspace(bottom, top, 25), np.maximum(heights, bottom), top / bottom > 100
    shaded = axes.contourf(u, v, clipped, levels, norm=LogNorm(bottom, top), cmap="cividis")
    axes.contour(u, v, clipped, levels[1::2], colors="white", linewidths=0.4, alpha=0.6)
    bar = figure.colorbar(
        shaded, ax=axes, pad=0.02, ticks=LogLocator(numticks=9) if wide else levels[::6],
        format=LogFormatterSciNotation() if wide else "%.4g",
    )  # fmt: skip
    bar.minorticks_off()
    bar.set_label(f"{drawn.loss_name} (log scale)")


def _draw_curve(figure: Any, drawn: Map) -> None:
    """A model of one weight: the loss itself is a curve."""
    axes, shift = figure.add_subplot(), float(drawn.plane.shift[0])
    along = np.linspace(*canvas.limits(np.append(drawn.track[:, 0], 0.0), 0.18), 4 * drawn.grid)[:, None]
    curve, weights, heights = drawn.loss(along), drawn.track[:, 0] + shift, drawn.loss(drawn.track)
    axes.plot(along[:, 0] + shift, curve, color=canvas.GREY, linewidth=1.5)
    axes.plot(weights, heights, ".-", color=canvas.RED, linewidth=0.8, markersize=5)
    mark = {"markeredgecolor": "black", "ms": 9}
    axes.plot(weights[0], heights[0], "o", color="white", label=drawn.start, **mark)
    axes.plot(weights[-1], heights[-1], "s", color=canvas.RED, label=drawn.end, **mark)
    if drawn.optimum:
        star = drawn.loss(np.zeros((1, 1)))[0]
        axes.plot(shift, star, "*", color=canvas.ORANGE, label=drawn.optimum, **{**mark, "ms": 17})
    axes.set(xlabel=drawn.plane.labels[0], ylabel=drawn.loss_name)
    if np.all(curve > 0):
        axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=9)
