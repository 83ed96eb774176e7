"""Prediction against truth: how well every target is fitted, on the training rows and on those held out."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.running.figures import canvas

MAX_PANELS = 6
Pair = tuple[np.ndarray, np.ndarray]
"""Truth and prediction, each (n, targets), in the table's units."""


def predicted_against_true(
    train: Pair, targets: Sequence[canvas.Column], held_out: Pair | None = None
) -> canvas.Picture:
    """A panel per target (the first six), with the line where both agree; held-out rows in a colour of their own.

    RMSE and R2 are over all rows, also where only some are drawn. R2 is 1 - sum of squared residuals / sum of squares
    about the mean, undefined for a constant target.
    """
    parts = {"training rows": train} if held_out is None else {"training rows": train, "held-out rows": held_out}
    title = "Predicted against true"
    if not all(canvas.sane(predicted) for _, predicted in parts.values()):
        return canvas.diverged(title, "predictions")
    panels = min(len(targets), MAX_PANELS)
    columns = min(panels, 3)
    down = -(-panels // columns)
    figure = canvas.blank(max(4.4 * columns, 5.4), 4.6 * down + 0.5)
    for k in range(panels):
        axes = figure.add_subplot(down, columns, k + 1)
        _draw(axes, {name: (true[:, k], found[:, k]) for name, (true, found) in parts.items()}, targets[k])
    notes = [f"first {panels} of {len(targets):,} targets"] if len(targets) > panels else []
    rows = max(len(true) for true, _ in parts.values())
    if rows > canvas.MAX_POINTS:
        notes.append(f"{canvas.MAX_POINTS:,} of {rows:,} rows drawn, figures over all")
    return canvas.png(figure, title + (f"  ({'; '.join(notes)})" if notes else ""))


def _draw(axes: Any, parts: dict[str, Pair], target: canvas.Column) -> None:
    ends = canvas.limits(np.concatenate([values for pair in parts.values() for values in pair]))
    axes.plot(ends, ends, color=canvas.GREY, linewidth=1.2, linestyle="--", label="perfect prediction")
    said = [canvas.word(target[0])]
    for (name, (true, predicted)), colour in zip(parts.items(), (canvas.BLUE, canvas.ORANGE), strict=False):
        rows = canvas.sample(len(true))
        crowded = len(rows) > canvas.CROWDED
        style = {"color": colour, "alpha": 0.35 if crowded else 0.85, "label": name} | canvas.dots(crowded)
        axes.plot(true[rows], predicted[rows], "o", **style)
        said.append(f"{'held out: ' if name == 'held-out rows' else ''}{_fit(true, predicted, target[1])}")
    axes.set_title("\n".join(said), fontsize=10.5)
    x, y = (canvas.labelled((name, target[1])) for name in ("true", "predicted"))
    canvas.plain_axes(axes, xlim=ends, ylim=ends, aspect="equal", xlabel=x, ylabel=y)
    axes.legend(loc="upper left", fontsize=9, frameon=False)


def _fit(true: np.ndarray, predicted: np.ndarray, unit: str | None) -> str:
    squares, about_mean = float(np.sum((true - predicted) ** 2)), float(np.sum((true - true.mean()) ** 2))
    rmse = f"RMSE {canvas.measured(float(np.sqrt(squares / len(true))), unit)}"
    if about_mean <= 1e-24 * float(np.sum(true**2)):
        return f"{rmse},  R² undefined (constant)"
    r2 = 1 - squares / about_mean
    return f"{rmse},  R² {r2:.4f}" if r2 > -100 else f"{rmse},  R² {r2:.3g}"
