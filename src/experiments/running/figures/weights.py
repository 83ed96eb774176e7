"""A linear classifier's weights: a picture for each class where rows are pictures, else a map of inputs and classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.running.figures import canvas

MOST_PICTURES = 20
MOST_INPUTS = 30


def weights(
    weight: np.ndarray, deviation: np.ndarray, features: Sequence[canvas.Column], labels: Sequence[str],
    image: tuple[int, ...] | None = None,
) -> canvas.Picture:  # fmt: skip
    """weight (outputs, features) in the table's units, each drawn times its feature's standard deviation (features,).

    That is what an input usually moves a class's logit by: it compares features of different units, and leaves out
    pixels that never change, whose weights are the random ones of the start. `labels` has one name an output.
    """
    title = "Weights, each times the standard deviation of its input"
    if not canvas.sane(weight):
        return canvas.diverged(title, "weights")
    effect = weight * deviation
    largest = float(np.abs(effect).max()) or 1.0
    look: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}
    draw = _map if image is None else _pictures
    names = [canvas.word(f"for {label}" if len(labels) == 1 else label, 18) for label in labels]
    figure, axes, drawn, note = draw(effect, names, features, image, look)
    figure.colorbar(drawn, ax=axes, shrink=0.7, label="change of the logit")
    figure.suptitle(title, fontsize=12, weight="bold")
    figure.supxlabel(note, fontsize=9, color=canvas.GREY)
    return canvas.png(figure)


def _pictures(effect: np.ndarray, names: Sequence[str], _: Any, image: Any, look: dict[str, Any]) -> Any:
    shown = min(len(names), MOST_PICTURES)
    across = min(shown, 5)
    down = -(-shown // across)
    figure = canvas.blank(max(1.8 * across + 1.4, 6), 2.0 * down + 0.7)
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for place in axes:
        place.set_axis_off()
    drawn = []
    for place, row, name in zip(axes, effect, names, strict=False):
        drawn.append(place.imshow(canvas.picture(row, image, colours=False), **look))
        place.set_title(name, fontsize=10)
    return figure, axes.tolist(), drawn[0], f"the first {shown} of {len(names):,} classes" * (shown < len(names))


def _map(effect: np.ndarray, names: Sequence[str], features: Sequence[canvas.Column], _: Any, look: Any) -> Any:
    largest = np.argsort(-np.abs(effect).max(0), kind="stable")[:MOST_INPUTS]
    shown = np.sort(largest)
    figure = canvas.blank(min(max(5.5, 3.6 + 0.55 * len(names)), 16), 0.26 * len(shown) + 2.2)
    axes = figure.add_subplot()
    drawn = axes.imshow(effect[:, shown].T, aspect="auto", **look)
    if len(names) <= 12:
        for i, j in np.ndindex(len(shown), len(names)):
            value = effect[j, shown[i]]
            colour = "white" if abs(value) > 0.6 * look["vmax"] else "black"
            axes.text(j, i, f"{value:.2g}", ha="center", va="center", fontsize=8, color=colour)
    step = -(-len(names) // 40)
    axes.set_xticks(range(0, len(names), step), names[::step], rotation=45 if len(names) > 4 else 0)
    axes.set_yticks(range(len(shown)), [canvas.word(features[k][0], 24) for k in shown])
    axes.tick_params(length=0, labelsize=9)
    left = f"the {len(shown)} of {len(features):,} inputs that move it most" * (len(shown) < len(features))
    return figure, axes, drawn, left
