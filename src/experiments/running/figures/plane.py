"""The tutorial's picture: the learned plane of one target over two features, every row's residual a stem."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from experiments.running.figures import canvas
from experiments.running.figures.canvas import Column, labelled, measured, word

ELEVATION = 22.0


@dataclass(frozen=True)
class Rows:
    """The rows that are drawn: points (n, 1 or 2), residuals (n,), and the plane's slope (1 or 2,) and offset."""

    points: np.ndarray
    residual: np.ndarray
    slope: np.ndarray
    offset: float

    @property
    def fitted(self) -> np.ndarray:
        """Predictions (n,)."""
        return self.offset + self.points @ self.slope

    @property
    def sides(self) -> tuple[tuple[str, str, np.ndarray], ...]:
        """Word, colour and mask (n,) of the rows above and below, where there are any."""
        sides = ("above", canvas.RED, self.residual >= 0), ("below", canvas.BLUE, self.residual < 0)
        return tuple(side for side in sides if side[2].any())


def plane(
    x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: float, features: Sequence[Column], target: Column
) -> canvas.Picture:
    """x (n, features), y (n,), weight (features,), all in the table's units.

    Shown are the two features that move the prediction most, |weight| * standard deviation. The others are held at
    their means, and a point stands at its partial residual y - sum_k w_k (x_k - mean_k) over those others (Larsen and
    McCleary, 1972), so that its distance from the plane is the row's true residual. One feature gives a line.
    """
    title = f"{word(target[0])}: what the model has learned"
    if not canvas.sane(weight, np.asarray(bias)):
        return canvas.diverged(title, "weights")
    residual = y - (x @ weight + bias)
    shown = np.sort(np.argsort(-np.abs(weight) * x.std(axis=0), kind="stable")[:2])
    held = np.setdiff1d(np.arange(len(weight)), shown)
    means = x[:, held].mean(axis=0)
    drawn = canvas.sample(len(x))
    rows = Rows(x[drawn][:, shown], residual[drawn], weight[shown], bias + float(means @ weight[held]))
    labels = [*(labelled(features[k]) for k in shown), labelled(target, ", adjusted" if len(held) else "")]
    figure = canvas.blank(7.4, 6.2 if len(shown) == 2 else 5.0)
    axes = (_draw_plane if len(shown) == 2 else _draw_line)(figure, rows, labels)
    terms = [f" {'−' if weight[k] < 0 else '+'} {abs(weight[k]):.4g} · {word(features[k][0], 16)}" for k in shown]
    equation = f"{word(target[0], 20)} = {rows.offset:.4g}{''.join(terms)}".replace("= -", "= −")
    rmse = measured(float(np.sqrt(np.mean(residual**2))), target[1])
    axes.set_title(f"{equation}      RMSE {rmse}", fontsize=10, color=canvas.GREY)
    note = _held_note([(features[k], mean) for k, mean in zip(held, means, strict=True)])
    if len(x) > canvas.MAX_POINTS:
        note += f"\n{canvas.MAX_POINTS:,} of {len(x):,} rows shown."
    figure.supxlabel(note, fontsize=9, color=canvas.GREY)
    return canvas.png(figure, title)


def _held_note(held: list[tuple[Column, float]]) -> str:
    """What the reader must know to read the plane rightly."""
    if not held:
        return "Each stem is the true residual of a row."
    what = "; ".join(f"{word(name)} held at its mean, {measured(mean, unit)}" for (name, unit), mean in held)
    what = what if len(held) <= 2 else f"{len(held):,} other features held at their means"
    return f"{what}; each row is moved there along the model,\nso that its stem is its true residual."


def _draw_plane(figure: Any, rows: Rows, labels: list[str]) -> Any:
    from matplotlib.lines import Line2D
    from mpl_toolkits.mplot3d.art3d import Line3DCollection

    # Drawn in our own order (stems below, the plane, stems above): matplotlib sorts whole artists by depth
    # and would hide half of the points behind the plane.
    axes = figure.add_subplot(projection="3d", computed_zorder=False)
    ends = [canvas.limits(rows.points[:, k]) for k in range(2)]
    a, b = np.meshgrid(*(np.linspace(*end, 9) for end in ends))
    surface = rows.offset + rows.slope[0] * a + rows.slope[1] * b
    ends.append(canvas.limits(np.concatenate([surface.ravel(), rows.fitted + rows.residual])))
    azimuth, from_above = _view(rows.slope, np.array([high - low for low, high in ends]))
    look = {"color": canvas.SKY, "alpha": 0.42, "edgecolor": "white", "linewidth": 0.7}
    axes.plot_surface(a, b, surface, shade=False, zorder=2, **look)
    crowded = len(rows.points) > canvas.CROWDED
    stem: dict[str, Any] = {"linewidths": 0.5, "alpha": 0.4} if crowded else {"linewidths": 1.6, "alpha": 0.9}
    for side, colour, part in rows.sides:
        order = 3 if (side == "above") == from_above else 1
        foot = np.column_stack([rows.points, rows.fitted])[part]
        head = foot + np.column_stack([np.zeros((len(foot), 2)), rows.residual[part]])
        axes.add_collection3d(Line3DCollection(np.stack([foot, head], axis=1), colors=colour, zorder=order, **stem))
        axes.plot(*head.T, "o", color=colour, zorder=order + 0.5, **canvas.dots(crowded))
    axes.set(xlim=ends[0], ylim=ends[1], zlim=ends[2])
    for name, label in zip("xyz", labels, strict=True):
        getattr(axes, f"set_{name}label")(label, labelpad=8)
        axis = getattr(axes, f"{name}axis")
        axis.set_pane_color((0.97, 0.97, 0.97, 1.0))
        axis._axinfo["grid"].update(color="#DDDDDD", linewidth=0.6)
    axes.view_init(elev=ELEVATION, azim=azimuth)
    axes.set_box_aspect((1.15, 1.15, 0.9), zoom=1.0)
    marks = [
        Line2D([], [], color=colour, marker="o", markeredgecolor="white", label=f"{side} the plane")
        for side, colour, _ in rows.sides
    ]
    axes.legend(handles=marks, loc="upper left", fontsize=9, frameon=False)
    return axes


def _view(slope: np.ndarray, ranges: np.ndarray) -> tuple[float, bool]:
    """The azimuth (degrees) that shows the plane well, and whether it is seen from above there. ranges: (3,)."""
    normal = np.append(-slope, 1.0) * ranges
    normal /= np.linalg.norm(normal)
    angles, elevation = np.arange(-60, 300, 15), np.radians(ELEVATION)
    across = normal[0] * np.cos(np.radians(angles)) + normal[1] * np.sin(np.radians(angles))
    facing = across * np.cos(elevation) + normal[2] * np.sin(elevation)
    # The usual view (-60) wins where it shows the plane well: half-facing is best, seen from above is better.
    best = int(np.argmin(np.abs(facing - 0.45).round(1)))
    return float(angles[best]), bool(facing[best] >= 0)


def _draw_line(figure: Any, rows: Rows, labels: list[str]) -> Any:
    axes, along = figure.add_subplot(), rows.points[:, 0]
    ends = np.array(canvas.limits(along))
    axes.plot(ends, rows.offset + ends * rows.slope[0], color=canvas.SKY, linewidth=2.5, label="model")
    for side, colour, part in rows.sides:
        foot, head = rows.fitted[part], (rows.fitted + rows.residual)[part]
        axes.vlines(along[part], foot, head, color=colour, lw=1, alpha=0.4)
        style = canvas.dots(len(along) > canvas.CROWDED)
        axes.plot(along[part], head, "o", color=colour, label=f"{side} the line", **style)
    canvas.plain_axes(axes, xlim=tuple(ends), xlabel=labels[0], ylabel=labels[-1])
    axes.legend(fontsize=9, frameon=False)
    return axes
