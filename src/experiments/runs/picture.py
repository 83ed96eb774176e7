"""The comparison as one PNG: loss curves, the gap against the varied keys, the best run's predictions."""

import io
from typing import Any

import numpy as np

from experiments.runs.cells import cell
from experiments.runs.curves import Material, gaps, measured

NAMED = 8
"""Runs that the legend names; more are told apart by colour alone."""


def draw(material: Material) -> bytes:
    """The PNG's bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = [_curves] + [_gaps] * bool(material.keys) + [_best] * (material.best is not None)
    figure = Figure(figsize=(6 * len(panels), 4.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for axes, panel in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        panel(figure, axes, material)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def plain(text: str) -> str:
    """`text` without matplotlib's own markup."""
    return cell(text).replace("$", r"\$")


def _curves(_: Any, axes: Any, material: Material) -> None:
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    count = len(material.curves)
    colours = colormaps["viridis"](np.linspace(0, 0.92, max(count, 2)))[:count]
    width = 1.6 if count <= 20 else 0.6
    lines = [np.stack([e, y], axis=1)[y > 0] for e, y in material.curves]
    drawn = LineCollection(lines[::-1], colors=colours[::-1], linewidths=width)  # the best on top
    axes.add_collection(drawn)
    axes.set_yscale("log")
    axes.autoscale()
    if count <= NAMED:
        for colour, name in zip(colours, material.table["run"], strict=True):
            axes.plot([], [], color=colour, label=plain(name))
    if material.optimum is not None and material.optimum > 0:
        label = f"smallest possible {material.optimum:.6g}"
        axes.axhline(material.optimum, color="crimson", linestyle="--", linewidth=1.2, label=label)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(fontsize="small")
    axes.set(xlabel="epoch", ylabel="loss over all training rows", title=f"{count} runs, darkest the best")


def _gaps(figure: Any, axes: Any, material: Material) -> None:
    """A line (mean, and least to largest) over one key, a heat map over two."""
    measure, found = measured(material), gaps(material)
    name = measure.replace("_", " ")
    if len(material.keys) == 1 or not found.height:
        key = material.keys[0]
        x, mean, low, high = (found[c].to_numpy() for c in (key, "mean", "min", "max"))
        axes.plot(x, mean, "o-", color="#31688e", label="mean")
        axes.fill_between(x, low, high, color="#31688e", alpha=0.2, label="least to largest")
        if found.height and (x > 0).all():
            axes.set_xscale("log" if x.max() > 20 * x.min() else "linear")
        if found.height and (low > 0).all():
            axes.set_yscale("log")
        axes.legend(fontsize="small")
        axes.set(xlabel=plain(key), ylabel=name, title=f"{name} against {plain(key)}")
        return
    from matplotlib.colors import LogNorm

    across, down = material.keys
    columns, lines = (sorted(found[key].unique().to_list()) for key in (across, down))
    values = np.full((len(lines), len(columns)), np.nan)
    for x, y, mean in found.select(across, down, "mean").iter_rows():
        values[lines.index(y), columns.index(x)] = mean
    positive = np.nanmin(values) > 0
    shown = axes.imshow(
        np.ma.masked_invalid(values),
        origin="lower",
        aspect="auto",
        cmap="viridis",
        norm=LogNorm() if positive else None,
    )
    axes.set_xticks(range(len(columns)), [cell(c) for c in columns], rotation=45, ha="right")
    axes.set_yticks(range(len(lines)), [cell(v) for v in lines])
    axes.set(xlabel=plain(across), ylabel=plain(down), title=f"mean {name}; white: no value")
    figure.colorbar(shown, ax=axes)


def _best(_: Any, axes: Any, material: Material) -> None:
    assert material.best is not None
    true, predicted, targets = material.best
    for k, target in enumerate(targets[:10]):
        axes.plot(true[:, k], predicted[:, k], "o", markersize=4, alpha=0.8, label=plain(target))
    ends = [float(true.min()), float(true.max())]
    axes.plot(ends, ends, color="grey", linewidth=1)
    axes.legend(fontsize="small")
    axes.set(xlabel="true", ylabel="predicted", title=f"best: {plain(material.table['run'][0])}")
