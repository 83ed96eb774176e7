"""The loss around the path of descent, drawn over a plane of the weights' space.

A model has many weights and a picture two axes. The plane goes through the start, the end and the exact
optimum: the map shows the true loss there, and the rest of the path projected. (Principal directions of the
path alone, as in Li et al., 2018, miss the steep directions, which are short and carry most of the loss.)
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.running.figures.canvas import (
    GREY,
    ORANGE,
    RED,
    blank,
    limits,
    message,
    png,
    sane,
    word,
)

GRID = 161
GRID_OF_CALLS = 31  # where every point costs a call of the loss
MAX_PATH = 500  # points of the path that are drawn
RUNAWAY = 10.0  # a path that goes this many times farther than it began is cut: the rest would be a blank map


@dataclass(frozen=True)
class Slice:
    """The plane through `origin` (params,) on orthonormal `directions` (2 or 1, params), labelled."""

    origin: np.ndarray
    directions: np.ndarray
    labels: tuple[str, ...]

    def project(self, parameters: np.ndarray) -> np.ndarray:
        """(k, params) -> (k, 2 or 1), the nearest points of the plane."""
        return (parameters - self.origin) @ self.directions.T


def loss_surface(
    path: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    bias: bool = True,
    *,
    loss: Callable[[np.ndarray], float] | None = None,
    loss_name: str = "mean squared error",
    feature_names: Sequence[str] | None = None,
    optimum: np.ndarray | None = None,
) -> bytes:
    """Contours of the loss over a plane, with the path of descent, its start, its end and the exact optimum.

    path (k, params): the weights (targets, features) row by row, then the bias (targets,) if there is one,
    in the coordinates in which the model was trained, as are x (n, features) and y (n, targets). Without
    `loss` it is the mean squared error, exact at every point: the smallest loss plus the quadratic form of
    the Hessian. A `loss` maps (params,) to a number and is called for each of the map's points; its optimum
    is not known and not shown. `optimum` (params,) spares solving the least squares again.
    """
    path, x, y = (np.asarray(a, dtype=float) for a in (path, x, y))
    y = y.reshape(len(x), -1)
    title = "Path of descent on the loss surface"
    finite = np.array([sane(row) for row in path], dtype=bool)
    if not len(path) or not finite[0]:
        return message(title, "The weights are not finite: the run diverged. Try a smaller learning rate.")
    kept = path[: len(path) if finite.all() else int(np.argmin(finite))]
    if loss is not None:
        optimum = None
    elif optimum is None:
        optimum = _least_squares(x, y, bias)
    centre = kept[-1] if optimum is None else optimum
    distance = np.linalg.norm(kept - centre, axis=1)
    far = distance > RUNAWAY * distance[0]
    if optimum is not None and far.any() and distance[0] > 0:
        kept = kept[: int(np.argmax(far))]
    cut = len(path) - len(kept)
    plane = _slice(kept, centre, x, y.shape[1], bias, feature_names)

    def predict(parameters: np.ndarray) -> np.ndarray:
        weight = parameters[: x.shape[1] * y.shape[1]].reshape(y.shape[1], -1)
        return x @ weight.T + parameters[weight.size :] if bias else x @ weight.T

    def true_loss(parameters: np.ndarray) -> float:
        return float(np.mean((predict(parameters) - y) ** 2) if loss is None else loss(parameters))

    if loss is None:
        values = _quadratic(true_loss(centre), [predict(d) for d in plane.directions])
    else:
        values = _called(true_loss, plane)
    steps = kept[np.unique(np.linspace(0, len(kept) - 1, min(len(kept), MAX_PATH)).round().astype(int))]
    track = plane.project(steps)
    ends = [f"start: {true_loss(kept[0]):.5g}", f"end: {true_loss(kept[-1]):.5g}"]
    best = None if optimum is None else f"exact optimum: {true_loss(optimum):.5g}"
    if cut:
        ends[1] = f"last shown: {true_loss(kept[-1]):.5g}"
    figure = blank(7.6, 5.9)
    draw = _draw_map if len(plane.directions) == 2 else _draw_curve
    draw(figure, plane, values, track, ends, best, loss_name, GRID if loss is None else GRID_OF_CALLS)
    figure.suptitle(title, fontsize=13, weight="bold")
    if cut:
        note = f"The path ran away: its last {cut:,} of {len(path):,} points lie off the map."
        figure.supxlabel(note, fontsize=9, color=RED)
    elif loss is None and len(track) == 1 and path.shape[1] > 2:
        figure.supxlabel("All other weights stand at their optimum.", fontsize=9, color=GREY)
    return png(figure)


def _least_squares(x: np.ndarray, y: np.ndarray, bias: bool) -> np.ndarray:
    """A minimiser, (params,), of least norm in the weights; columns are centred: offsets do no harm."""
    if not bias:
        return np.linalg.lstsq(x, y, rcond=None)[0].T.ravel()
    means, offsets = x.mean(axis=0), y.mean(axis=0)
    weight = np.linalg.lstsq(x - means, y - offsets, rcond=None)[0].T
    return np.concatenate([weight.ravel(), offsets - weight @ means])


def _quadratic(smallest: float, moves: Sequence[np.ndarray]) -> Callable[[np.ndarray], np.ndarray]:
    """The exact mse at (m, 2) points around the optimum: smallest + c^T H c, H_ab = mean(move_a * move_b).

    moves: what each direction changes in the prediction, (n, targets). At the least-squares optimum the
    gradient vanishes, so there is no linear term.
    """
    form = np.array([[np.mean(a * b) for b in moves] for a in moves])
    return lambda coordinates: smallest + np.einsum("ma,ab,mb->m", coordinates, form, coordinates)


def _called(loss: Callable[[np.ndarray], float], plane: Slice) -> Callable[[np.ndarray], np.ndarray]:
    return lambda coordinates: np.array([loss(plane.origin + c @ plane.directions) for c in coordinates])


def _slice(
    path: np.ndarray, centre: np.ndarray, x: np.ndarray, targets: int, bias: bool, names: Sequence[str] | None
) -> Slice:
    size = path.shape[1]
    scale = max(float(np.abs(path - centre).max()), 1e-300)
    moved = len(path) > 1 and float(np.abs(path - path[0]).max()) > 1e-12 * scale
    if size <= 2 or not moved:
        return _two_weights(centre, x, targets, bias, names)
    away = (path - centre) / scale
    first = away[0] if np.linalg.norm(away[0]) > 1e-12 else away[int(np.argmax(np.linalg.norm(away, axis=1)))]
    first = first / np.linalg.norm(first)
    aside = away - np.outer(away @ first, first)
    off = np.linalg.norm(aside, axis=1)
    # The end fixes the plane, unless it is on the line from start to optimum: then the widest turn does.
    turn = -1 if off[-1] > 0.1 * off.max() else int(np.argmax(off))
    if off[turn] > 1e-9:
        second = aside[turn] / off[turn]
    else:  # a straight path: any direction across it will do
        second = np.eye(size)[int(np.argmin(np.abs(first)))]
        second -= (second @ first) * first
        second /= np.linalg.norm(second)
    basis = np.stack([first, second])
    # Turned within the plane, so that the axes are the path's principal directions there.
    _, lengths, turned = np.linalg.svd(np.vstack([away @ basis.T, np.zeros((2, 2))]), full_matrices=False)
    share = lengths**2 / np.sum(away**2)
    labels = tuple(f"direction {k + 1}: {_percent(share[k])} of the path's squared distance" for k in range(2))
    return Slice(centre, turned @ basis, labels)


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 or share == 0 else f"{100 * share:.1g} %"


def _two_weights(centre: np.ndarray, x: np.ndarray, targets: int, bias: bool, names: Sequence[str] | None) -> Slice:
    """The first target's two weights whose features vary most; its bias where there is but one feature."""
    features = x.shape[1]
    shown = [int(k) for k in np.sort(np.argsort(-x.std(axis=0), kind="stable")[:2])]
    words = [f"weight of {word(names[k]) if names else f'feature {k + 1}'}" for k in shown]
    if len(shown) == 1 and bias:
        shown.append(features * targets)
        words.append("bias")
    return Slice(centre, np.eye(centre.size)[shown], tuple(words))


def _draw_map(
    figure: Any,
    plane: Slice,
    values: Callable[[np.ndarray], np.ndarray],
    track: np.ndarray,
    ends: list[str],
    best: str | None,
    loss_name: str,
    grid: int,
) -> None:
    from matplotlib.colors import LogNorm
    from matplotlib.patheffects import Normal, Stroke
    from matplotlib.ticker import LogFormatterSciNotation, LogLocator

    # Axes that are weights themselves show the weight's value, not its distance from the optimum.
    named = np.count_nonzero(plane.directions) == len(plane.directions)
    shift = plane.project(np.zeros((1, plane.origin.size)))[0] * -1 if named else np.zeros(2)
    seen = np.vstack([track, np.zeros((1, 2))])
    (u_low, u_high), (v_low, v_high) = limits(seen[:, 0], 0.18), limits(seen[:, 1], 0.18)
    u, v = np.meshgrid(np.linspace(u_low, u_high, grid), np.linspace(v_low, v_high, grid))
    heights = values(np.column_stack([u.ravel(), v.ravel()])).reshape(u.shape)
    heights = np.where(np.isfinite(heights), heights, np.nan)
    top = float(np.nanmax(heights))
    bottom = max(float(np.nanmin(heights)), float(values(np.zeros((1, 2)))[0]), 1e-8 * top, 1e-300)
    axes = figure.add_subplot()
    u, v, track = u + shift[0], v + shift[1], track + shift
    if top > bottom * (1 + 1e-9):
        levels = np.geomspace(bottom, top, 25)
        norm = LogNorm(bottom, top)
        shaded = axes.contourf(u, v, np.maximum(heights, bottom), levels, norm=norm, cmap="cividis")
        axes.contour(u, v, np.maximum(heights, bottom), levels[1::2], colors="white", linewidths=0.4, alpha=0.6)
        wide = top / bottom > 100
        bar = figure.colorbar(
            shaded, ax=axes, pad=0.02,
            ticks=LogLocator(numticks=9) if wide else levels[::6],
            format=LogFormatterSciNotation() if wide else "%.4g",
        )  # fmt: skip
        bar.minorticks_off()
        bar.set_label(f"{loss_name} (log scale)")
    halo = [Stroke(linewidth=3.2, foreground="black", alpha=0.55), Normal()]
    dense = len(track) > 120
    axes.plot(*track.T, "-" if dense else ".-", color="white", linewidth=1.5, markersize=5, path_effects=halo)
    mark = {"linestyle": "", "markeredgecolor": "black", "markersize": 9, "zorder": 5, "clip_on": False}
    axes.plot(*track[0], "o", color="white", label=ends[0], **mark)
    if len(track) > 1:
        axes.plot(*track[-1], "s", color=RED, label=ends[1], **mark)
    if best:
        axes.plot(*shift, "*", color=ORANGE, label=best, **{**mark, "markersize": 17, "zorder": 6})
    axes.set(xlabel=plane.labels[0], ylabel=plane.labels[1])
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1.005), ncols=3, fontsize=9, frameon=False,
        columnspacing=1.4, handletextpad=0.2,
    )  # fmt: skip


def _draw_curve(
    figure: Any,
    plane: Slice,
    values: Callable[[np.ndarray], np.ndarray],
    track: np.ndarray,
    ends: list[str],
    best: str | None,
    loss_name: str,
    grid: int,
) -> None:
    """A model of one weight: the loss itself is a curve."""
    axes = figure.add_subplot()
    shift = float(plane.origin[0])
    low, high = limits(np.append(track[:, 0], 0.0), 0.18)
    along = np.linspace(low, high, 4 * grid)[:, None]
    axes.plot(along[:, 0] + shift, values(along), color=GREY, linewidth=1.5)
    heights = values(track)
    axes.plot(track[:, 0] + shift, heights, ".-", color=RED, linewidth=0.8, markersize=5)
    axes.plot(track[0, 0] + shift, heights[0], "o", color="white", markeredgecolor="black", label=ends[0], ms=9)
    axes.plot(track[-1, 0] + shift, heights[-1], "s", color=RED, markeredgecolor="black", label=ends[1], ms=9)
    if best:
        star = values(np.zeros((1, 1)))[0]
        axes.plot(shift, star, "*", color=ORANGE, markeredgecolor="black", label=best, ms=17)
    axes.set(xlabel=plane.labels[0], ylabel=loss_name)
    if np.all(values(along) > 0):
        axes.set_yscale("log")
    axes.legend(frameon=False, fontsize=9)
