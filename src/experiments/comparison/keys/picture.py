"""The picture's panels of keys: parallel coordinates, and of a search the importance and the slice of each key."""

from typing import Any

import numpy as np

from experiments.comparison.keys.settings import Axis, Settings
from experiments.comparison.picture_swept import linear, logarithmic, plain


def draw_keys(part: Any, settings: Settings) -> None:
    """Draw into a subfigure of matplotlib's."""
    if not settings.importance:
        _parallel(part.subplots(), settings)
        return
    above, below = part.subfigures(2, 1)
    _parallel(above.subplots(), settings)
    places = below.subplots(1, len(settings.keys) + 1, squeeze=False)[0]
    _importance(places[0], settings.importance)
    for axes, key in zip(places[1:], settings.keys, strict=True):
        _slice(axes, key, settings.value)


def _parallel(axes: Any, settings: Settings) -> None:
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    lines, sides = settings.lines, [*settings.keys, settings.value]
    across = np.broadcast_to(np.arange(len(sides)), lines.shape)
    colours = colormaps["viridis"](np.linspace(0, 0.92, len(lines)))
    drawn = np.stack([across, lines], axis=2)[::-1]  # the best on top
    axes.add_collection(LineCollection(list(drawn), colors=colours[::-1], linewidths=1.2 if len(lines) < 100 else 0.5))
    for at, side in enumerate(sides):
        axes.axvline(at, color="black", linewidth=0.8)
        for height, text in side.ticks:
            axes.text(at + 0.02, height, plain(text), fontsize=7, va="center")
    axes.set_xticks(range(len(sides)), [plain(side.name) for side in sides])
    axes.set(yticks=[], xlim=(-0.1, len(sides) - 0.8), ylim=(-0.05, 1.05))
    axes.set_title(settings.heading)


def _importance(axes: Any, importance: dict[str, float]) -> None:
    names, shares = list(importance)[::-1], list(importance.values())[::-1]
    axes.barh([plain(name) for name in names], shares, color="#31688e")
    linear(axes.xaxis)
    axes.set(xlim=(0, 1), title="importance (PED-ANOVA)")


def _slice(axes: Any, key: Axis, value: Axis) -> None:
    linear(axes.xaxis, axes.yaxis)
    axes.scatter(key.values, value.values, c=np.arange(len(value.values)), s=8, cmap="viridis")
    for axis, scale, one in ((key, axes.set_xscale, axes.xaxis), (value, axes.set_yscale, axes.yaxis)):
        if axis.log:
            logarithmic(scale, one)
    if key.words:
        axes.set_xticks(range(len(key.words)), [plain(word) for word in key.words])
    axes.grid(alpha=0.25)
    axes.set(xlabel=plain(key.name), ylabel=plain(value.name.replace("_", " ")))
