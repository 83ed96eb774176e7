"""Training and validation loss over the epochs, beside the smallest possible loss."""

from collections.abc import Sequence

import numpy as np

from experiments.running.figures import canvas

WIDE = 20
"""A loss that falls to less than one in so many is shown on a logarithmic axis."""


def loss_curve(
    epochs: Sequence[int], train: Sequence[float | None], validation: Sequence[float | None], *,
    reference: tuple[str, float] | None = None, best_epoch: int | None = None, penalized: bool = False,
) -> canvas.Picture:  # fmt: skip
    """Losses (epochs,) as logged, None where they are not finite or there are no validation rows.

    `reference`: the exact optimum's name and loss, a line. `best_epoch`: whose weights were kept, where those are not
    the last. `penalized`: whether the training loss has a penalty in it, as the held-out rows' never has.
    """
    rows = np.array([epochs, train, validation], dtype=float)
    rows[1:][~(np.abs(rows[1:]) < canvas.DIVERGED)] = np.nan  # a loss beyond would press all others into a line
    rows = rows[:, np.isfinite(rows[1])]
    if not rows.size:
        return canvas.diverged("Loss", "losses")
    rows = rows[:, np.unique(np.linspace(0, rows.shape[1] - 1, canvas.MAX_POINTS).round().astype(int))]
    figure = canvas.blank(7.2, 4.6)
    axes = figure.add_subplot()
    for losses, colour, name in ((rows[1], canvas.BLUE, "training rows"), (rows[2], canvas.ORANGE, "held-out rows")):
        if np.isfinite(losses).any():
            last = f"{name}, last {losses[-1]:.5g}"
            axes.plot(rows[0], losses, "." if len(losses) == 1 else "-", color=colour, linewidth=1.8, label=last)
    if reference is not None:
        name, loss = reference
        axes.axhline(loss, color=canvas.GREEN, ls="--", lw=1.2, label=f"{name} {loss:.5g}")
    if best_epoch is not None:
        axes.axvline(best_epoch, color=canvas.GREY, ls=":", lw=1.2, label=f"weights of epoch {best_epoch} kept")
    shown = rows[1:][np.isfinite(rows[1:])]
    if shown.min() > 0 and shown.max() > WIDE * shown.min():
        axes.set_yscale("log")
    canvas.plain_axes(axes, xlabel="epoch", ylabel="loss over all rows" + ", in training with the penalty" * penalized)
    axes.legend(fontsize=9, frameon=False)
    return canvas.png(figure, "Loss")
