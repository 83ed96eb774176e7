"""The picture of groups: mean curves with a band, or of searches the best of n, beside the final metric."""

from functools import partial
from typing import TYPE_CHECKING, Any

from experiments.comparison.groups.gathered import Groups
from experiments.comparison.picture import Panel, laid_out
from experiments.comparison.picture_swept import draw_swept, linear, logarithmic, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(kinds: list[Groups], *, curves: bool = True) -> "Figure":
    """A row of panels for each kind of runs, with or without the curves."""
    rows: list[tuple[str, list[Panel]]] = []
    for groups in kinds:
        panels: list[Panel] = [partial(_curves, groups=groups)] if curves and groups.curves else []
        panels += [partial(draw_swept, swept=groups.swept)] if groups.swept is not None else []
        rows.append((groups.name, panels))
    return laid_out(rows)


def _curves(_: Any, axes: Any, groups: Groups) -> None:
    linear(axes.xaxis, axes.yaxis)
    for group in groups.groups:
        if (curve := group.curve) is not None:
            drawn = axes.plot(curve.x, curve.centre, linewidth=1.6, label=plain(group.legend))[0]
            axes.fill_between(curve.x, curve.low, curve.high, color=drawn.get_color(), alpha=0.18, linewidth=0)
            if curve.expected is not None:
                axes.plot(curve.x, curve.expected, linewidth=1, linestyle=":", color=drawn.get_color())
    if groups.limits is not None:
        axes.set_ylim(*groups.limits)
    across, up = groups.logarithmic
    if across:
        logarithmic(axes.set_xscale, axes.xaxis)
    if up:
        logarithmic(axes.set_yscale, axes.yaxis)
    axes.legend(fontsize="small")
    axes.grid(alpha=0.25)
    axes.set(xlabel=groups.labels[0], ylabel=plain(groups.labels[1]), title=plain(groups.title))
