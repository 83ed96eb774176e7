"""The figures of a run, as PNG bytes: pure functions of numbers; nothing here reads a model or writes a file.

`plane` is the tutorial's picture, `predicted_against_true` the fit of every target, `loss_surface` (in its
own module) the path of descent. matplotlib is imported when one is drawn, not before.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.running.figures.canvas import (
    BLUE,
    GREY,
    MAX_POINTS,
    RED,
    SKY,
    blank,
    labelled,
    limits,
    message,
    png,
    sample,
    sane,
    unit_list,
    word,
)
from experiments.running.figures.loss_surface import loss_surface

__all__ = ["loss_surface", "plane", "predicted_against_true"]

MAX_PANELS = 6


def plane(
    x: np.ndarray,
    y_target: np.ndarray,
    weight_row: np.ndarray,
    bias: float,
    feature_names: Sequence[str],
    feature_units: Sequence[str | None] | None,
    target_name: str,
    target_unit: str | None,
    axes: tuple[int, int] | None = None,
) -> bytes:
    """The learned plane of one target over two features, with every row's residual as a stem.

    x (n, features), y_target (n,), weight_row (features,), all in the table's units. `axes` are the two
    features; by default those that move the prediction most, |weight| * standard deviation. The other
    features are held at their means, and a point stands at its partial residual y - sum_k w_k (x_k -
    mean_k) over those others (Larsen and McCleary, 1972), so that its distance from the plane is the row's
    true residual. One feature gives a line.
    """
    title = f"{word(target_name)}: what the model has learned"
    if not sane(weight_row, np.asarray(bias)):
        return message(title, "The weights are not finite: the run diverged. Try a smaller learning rate.")
    x, y_target = np.asarray(x, dtype=float), np.asarray(y_target, dtype=float)
    residual = y_target - (x @ weight_row + bias)
    if axes is None:
        order = np.argsort(-np.abs(weight_row) * x.std(axis=0), kind="stable")
        shown = np.sort(order[:2])
    else:
        shown = np.array(axes)
    held = np.setdiff1d(np.arange(len(weight_row)), shown)
    means = x[:, held].mean(axis=0)
    offset = bias + float(means @ weight_row[held])
    rows = sample(len(x))
    points, residual_rows = x[rows][:, shown], residual[rows]
    units = unit_list(feature_units, len(weight_row))
    labels = [labelled(feature_names[int(k)], units[int(k)]) for k in shown]
    adjusted = f"{word(target_name)}, adjusted" if len(held) else word(target_name)
    z_label = f"{adjusted} ({word(target_unit)})" if target_unit else adjusted
    figure = blank(7.4, 6.2 if len(shown) == 2 else 5.0)
    draw = _draw_plane if len(shown) == 2 else _draw_line
    terms = [(weight_row[k], word(feature_names[int(k)], 16)) for k in shown]
    equation = f"{word(target_name, 20)} = {offset:.4g}" + "".join(
        f" {'−' if weight < 0 else '+'} {abs(weight):.4g} · {name}" for weight, name in terms
    )
    rmse = f"RMSE {np.sqrt(np.mean(residual**2)):.4g}{f' {word(target_unit)}' if target_unit else ''}"
    axis = draw(figure, points, residual_rows, weight_row[shown], offset, [*labels, z_label])
    axis.set_title(f"{equation}      {rmse}".replace("= -", "= −"), fontsize=10, color=GREY)
    figure.suptitle(title, fontsize=13, weight="bold")
    figure.supxlabel(_held_note(held, means, feature_names, feature_units, len(x)), fontsize=9, color=GREY)
    return png(figure)


def _held_note(
    held: np.ndarray, means: np.ndarray, names: Sequence[str], units: Sequence[str | None] | None, rows: int
) -> str:
    """What the reader must know to read the plane rightly."""
    lines = ["Each stem is the true residual of a row."]
    if len(held):
        if len(held) <= 2:
            parts = []
            for k, mean in zip(map(int, held), means, strict=True):
                unit = unit_list(units, len(names))[k]
                parts.append(f"{word(names[k])} held at its mean, {mean:.4g}{f' {word(unit)}' if unit else ''}")
            what = "; ".join(parts)
        else:
            what = f"{len(held):,} other features held at their means"
        lines = [
            f"{what}; each row is moved there along the model,",
            "so that its stem is its true residual.",
        ]
    if rows > MAX_POINTS:
        lines.append(f"{MAX_POINTS:,} of {rows:,} rows shown.")
    return "\n".join(lines)


def _draw_plane(
    figure: Any, points: np.ndarray, residual: np.ndarray, slope: np.ndarray, offset: float, labels: list[str]
) -> Any:
    from matplotlib.lines import Line2D
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    # Drawn in our own order (stems below, the plane, stems above): matplotlib sorts whole artists by depth
    # and would hide half of the points behind the plane.
    axes = figure.add_subplot(projection="3d", computed_zorder=False)
    (a_low, a_high), (b_low, b_high) = limits(points[:, 0]), limits(points[:, 1])
    a, b = np.meshgrid(np.linspace(a_low, a_high, 9), np.linspace(b_low, b_high, 9))
    surface = offset + slope[0] * a + slope[1] * b
    fitted = offset + points @ slope
    z_low, z_high = limits(np.concatenate([surface.ravel(), fitted + residual]))
    elevation, azimuth, from_above = _view(slope, a_high - a_low, b_high - b_low, z_high - z_low)
    axes.plot_surface(a, b, surface, color=SKY, alpha=0.42, edgecolor="white", linewidth=0.7, shade=False, zorder=2)
    crowded = len(points) > 200
    for above, colour in ((True, RED), (False, BLUE)):
        part = (residual >= 0) == above
        if not part.any():
            continue
        order = 3 if above == from_above else 1
        foot = np.column_stack([points[part], fitted[part]])
        head = np.column_stack([points[part], (fitted + residual)[part]])
        stems = Line3DCollection(
            np.stack([foot, head], axis=1),
            colors=colour,
            linewidths=0.5 if crowded else 1.6,
            alpha=0.4 if crowded else 0.9,
            zorder=order,
        )
        axes.add_collection3d(stems)
        axes.plot(
            *head.T, "o", color=colour, markersize=2.2 if crowded else 6.5, markeredgecolor="white",
            markeredgewidth=0.0 if crowded else 0.7, zorder=order + 0.5,
        )  # fmt: skip
    axes.set(xlim=(a_low, a_high), ylim=(b_low, b_high), zlim=(z_low, z_high))
    axes.set_xlabel(labels[0], labelpad=8)
    axes.set_ylabel(labels[1], labelpad=8)
    axes.set_zlabel(labels[2], labelpad=8)
    axes.view_init(elev=elevation, azim=azimuth)
    axes.set_box_aspect((1.15, 1.15, 0.9), zoom=1.0)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((0.97, 0.97, 0.97, 1.0))
        axis._axinfo["grid"].update(color="#DDDDDD", linewidth=0.6)
    marks = [Line2D([], [], color=c, marker="o", markeredgecolor="white", label=t) for c, t in _SIDES]
    axes.legend(handles=marks, loc="upper left", fontsize=9, frameon=False)
    return axes


_SIDES = ((RED, "above the plane"), (BLUE, "below the plane"))


def _view(slope: np.ndarray, a_range: float, b_range: float, z_range: float) -> tuple[float, float, bool]:
    """Elevation and azimuth (degrees) that show the plane well, and whether it is seen from above."""
    normal = np.array([-slope[0] * a_range, -slope[1] * b_range, z_range])
    normal /= np.linalg.norm(normal)
    elevation = 22.0
    angles = np.arange(-60, 300, 15)
    to_eye = np.stack(
        [
            np.cos(np.radians(elevation)) * np.cos(np.radians(angles)),
            np.cos(np.radians(elevation)) * np.sin(np.radians(angles)),
            np.full(len(angles), np.sin(np.radians(elevation))),
        ]
    )
    facing = normal @ to_eye
    # The usual view (-60) wins where it shows the plane well: half-facing is best, seen from above is better.
    best = int(np.argmin(np.abs(facing - 0.45).round(1)))
    return elevation, float(angles[best]), bool(facing[best] >= 0)


def _draw_line(
    figure: Any, points: np.ndarray, residual: np.ndarray, slope: np.ndarray, offset: float, labels: list[str]
) -> Any:
    axes = figure.add_subplot()
    along = points[:, 0]
    fitted = offset + along * slope[0]
    ends = np.array(limits(along))
    crowded = len(along) > 200
    axes.plot(ends, offset + ends * slope[0], color=SKY, linewidth=2.5, label="model")
    for part, colour, label in (
        (residual >= 0, RED, "above the line"),
        (residual < 0, BLUE, "below the line"),
    ):
        axes.vlines(along[part], fitted[part], (fitted + residual)[part], color=colour, lw=1, alpha=0.4)
        axes.plot(
            along[part], (fitted + residual)[part], "o", color=colour, label=label,
            markersize=2.5 if crowded else 6, markeredgecolor="white", markeredgewidth=0 if crowded else 0.7,
        )  # fmt: skip
    axes.set(xlim=tuple(ends), xlabel=labels[0], ylabel=labels[-1])
    axes.grid(color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=9, frameon=False)
    return axes


def predicted_against_true(
    y_true: np.ndarray,
    y_pred: np.ndarray,
    names: Sequence[str],
    units: Sequence[str | None] | None = None,
) -> bytes:
    """A panel per target (the first six): prediction against truth, with the line where both agree.

    y_true, y_pred (n, targets), in the table's units. RMSE and R2 are over all rows, also where only some
    are drawn. R2 is 1 - sum of squared residuals / sum of squares about the mean, undefined for a constant
    target.
    """
    y_true, y_pred = np.asarray(y_true, dtype=float), np.asarray(y_pred, dtype=float)
    title = "Predicted against true"
    if not sane(y_pred):
        return message(title, "The predictions are not finite: the run diverged. Try a smaller learning rate.")
    targets = y_true.shape[1]
    panels = min(targets, MAX_PANELS)
    columns = min(panels, 3)
    down = -(-panels // columns)
    figure = blank(max(4.4 * columns, 5.4), 4.5 * down + 0.5)
    rows = sample(len(y_true))
    for k, unit in zip(range(panels), unit_list(units, targets), strict=False):
        axes = figure.add_subplot(down, columns, k + 1)
        _draw_fit(axes, y_true[:, k], y_pred[:, k], rows, word(names[k]), unit)
    notes = [f"first {panels} of {targets:,} targets"] if targets > panels else []
    if len(y_true) > MAX_POINTS:
        notes.append(f"{MAX_POINTS:,} of {len(y_true):,} rows drawn, figures over all")
    figure.suptitle(title + (f"  ({'; '.join(notes)})" if notes else ""), fontsize=13, weight="bold")
    return png(figure)


def _draw_fit(
    axes: Any, true: np.ndarray, predicted: np.ndarray, rows: np.ndarray, name: str, unit: str | None
) -> None:
    squares = float(np.sum((true - predicted) ** 2))
    about_mean = float(np.sum((true - true.mean()) ** 2))
    constant = about_mean <= 1e-24 * float(np.sum(true**2))
    fit = "R² undefined (constant)" if constant else f"R² {1 - squares / about_mean:.4f}"
    suffix = f" {word(unit)}" if unit else ""
    axes.set_title(f"{name}\nRMSE {np.sqrt(squares / len(true)):.4g}{suffix},  {fit}", fontsize=10.5)
    true, predicted = true[rows], predicted[rows]
    ends = limits(np.concatenate([true, predicted]))
    axes.plot(ends, ends, color=GREY, linewidth=1.2, linestyle="--", label="perfect prediction")
    crowded = len(rows) > 200
    axes.plot(
        true, predicted, "o", color=BLUE, alpha=0.35 if crowded else 0.85, label="rows",
        markersize=3 if crowded else 7, markeredgecolor="white", markeredgewidth=0 if crowded else 0.7,
    )  # fmt: skip
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.set_xlabel(f"true ({word(unit)})" if unit else "true")
    axes.set_ylabel(f"predicted ({word(unit)})" if unit else "predicted")
    axes.grid(color="#E5E5E5")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", fontsize=9, frameon=False)
