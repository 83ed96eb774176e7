"""The rows that a classifier is most wrong about: those whose true class it gives the least probability."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.running.figures import canvas
from experiments.running.figures.confusion import Classified

SHOWN = 8
"""Rows of each part."""
MOST_INPUTS = 5
"""Inputs of a row that its line in the table has."""

Part = tuple[np.ndarray, Classified]
"""Rows (n, features) in the table's units, and what became of them."""


def most_wrong(
    parts: Mapping[str, Part], labels: Sequence[str], features: Sequence[canvas.Column],
    image: tuple[int, ...] | None = None,
) -> canvas.Picture:  # fmt: skip
    """The eight of each part: as pictures where rows are pictures of that shape, else as lines of a table."""
    title = "Most wrong: the least probability for the true class"
    if not all(canvas.sane(rows.probability) for _, rows in parts.values()):
        return canvas.diverged(title, "predictions")
    labels = [canvas.word(label, 14) for label in labels]
    figure = canvas.blank(12, (2.2 if image else 2.6) * len(parts) + 0.6)
    bands = figure.subfigures(len(parts), 1, squeeze=False)[:, 0]
    for band, (name, (x, rows)) in zip(bands, parts.items(), strict=True):
        wrong = int((rows.found != rows.true).sum())
        band.suptitle(f"{name}: {wrong:,} of {len(x):,} wrong", fontsize=10.5, x=0.01, ha="left")
        of_truth = rows.probability[np.arange(len(x)), rows.true]
        worst = np.argsort(of_truth, kind="stable")[:SHOWN]
        shown = Classified(rows.true[worst], rows.probability[worst])
        if image is None:
            _table(band, x[worst], shown, labels, features)
        else:
            _pictures(band, x[worst], shown, labels, image)
    return canvas.png(figure, title)


def _pictures(band: Any, x: np.ndarray, rows: Classified, labels: Sequence[str], image: tuple[int, ...]) -> None:
    for k, axes in enumerate(band.subplots(1, SHOWN, squeeze=False)[0]):
        axes.set_axis_off()
        if k < len(x):
            axes.imshow(canvas.picture(x[k], image), cmap="gray_r")
            true, its, found, chosen = _said(rows, k, labels)
            axes.set_title(f"true {true}: {its}\nsaid {found}: {chosen}", fontsize=9, color=_colour(rows, k))


def _table(
    band: Any, x: np.ndarray, rows: Classified, labels: Sequence[str], features: Sequence[canvas.Column]
) -> None:
    head = ["true", "its probability", "predicted", "its probability", *map(canvas.labelled, features[:MOST_INPUTS])]
    lines = [[*_said(rows, k, labels), *(f"{value:.5g}" for value in x[k, :MOST_INPUTS])] for k in range(len(x))]
    axes, height = band.add_subplot(), (len(x) + 1) / (SHOWN + 1)
    axes.set_axis_off()
    table = axes.table(lines, colLabels=head, cellLoc="center", bbox=(0, 1 - height, 1, height))
    table.auto_set_font_size(False)
    for (line, _), cell in table.get_celld().items():
        cell.set(edgecolor="#DDDDDD")
        cell.get_text().set(fontsize=8.5, color=_colour(rows, line - 1) if line else canvas.GREY)
    if len(features) > MOST_INPUTS:
        band.supxlabel(f"the first {MOST_INPUTS} of {len(features):,} inputs", fontsize=8.5, color=canvas.GREY)


def _said(rows: Classified, row: int, labels: Sequence[str]) -> tuple[str, str, str, str]:
    """The true label and its probability, the predicted one and its."""
    true, found, of = int(rows.true[row]), int(rows.found[row]), rows.probability[row]
    return labels[true], f"{of[true]:.3g}", labels[found], f"{of[found]:.3g}"


def _colour(rows: Classified, row: int) -> str:
    return "black" if rows.true[row] == rows.found[row] else canvas.RED
