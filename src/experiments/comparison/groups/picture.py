"""The picture of groups: mean curves with a band, or of searches the best of n, beside the final metric."""

import io
from functools import partial
from typing import TYPE_CHECKING, Any

from experiments.comparison.groups.gathered import Groups
from experiments.comparison.picture import Panel, laid_out
from experiments.comparison.picture_swept import draw_swept, linear, logarithmic, plain, wide

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(kinds: list[Groups], *, curves: bool = True) -> bytes:
    """The PNG's bytes; with or without the curves."""
    file = io.BytesIO()
    figure(kinds, curves=curves).savefig(file, format="png")
    return file.getvalue()


def figure(kinds: list[Groups], *, curves: bool = True) -> "Figure":
    """A row of panels for each kind of runs."""
    return laid_out([(groups.name, _panels(groups, curves)) for groups in kinds])


def _panels(groups: Groups, curves: bool) -> list[Panel]:
    found: list[Panel] = []
    if curves and any(len(group.epochs) for group in groups.groups):
        found.append(partial(_mean_curves, groups=groups))
    if curves and any(group.best_of is not None for group in groups.groups):
        found.append(partial(_best_of, groups=groups))
    if groups.swept is not None:
        found.append(partial(draw_swept, swept=groups.swept))
    return found


def _mean_curves(_: Any, axes: Any, groups: Groups) -> None:
    for group in groups.groups:
        if len(group.epochs):
            drawn = axes.plot(group.epochs, group.centre, linewidth=1.6, label=plain(group.legend))[0]
            axes.fill_between(group.epochs, group.low, group.high, color=drawn.get_color(), alpha=0.18, linewidth=0)
    axes.set_ylim(*groups.limits)
    logarithmic(axes.set_yscale, axes.yaxis)
    linear(axes.xaxis)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.25)
    axes.set(xlabel="epoch", ylabel="loss over all training rows", title=groups.curves_title)


def _best_of(_: Any, axes: Any, groups: Groups) -> None:
    import polars as pl

    linear(axes.xaxis, axes.yaxis)
    everything = []
    for group in groups.groups:
        if (best := group.best_of) is None:
            continue
        drawn = axes.plot(best.n, best.median, linewidth=1.6, label=plain(group.legend))[0]
        axes.plot(best.n, best.expected, linewidth=1, linestyle=":", color=drawn.get_color())
        axes.fill_between(best.n, best.lucky, best.unlucky, color=drawn.get_color(), alpha=0.18, linewidth=0)
        everything += [*best.lucky, *best.unlucky]
    if wide(pl.Series(everything).drop_nans()):
        logarithmic(axes.set_yscale, axes.yaxis)
    if max(int(group.best_of.n[-1]) for group in groups.groups if group.best_of is not None) > 20:
        logarithmic(axes.set_xscale, axes.xaxis)
    axes.legend(fontsize="small", title="dotted: expected", title_fontsize="x-small")
    axes.grid(alpha=0.25)
    axes.set(xlabel="n, trials of the search", ylabel=groups.measure.replace("_", " "), title=plain(groups.best_title))
