"""The picture's middle panel: lines over one key, a heat map over two, the spread over seeds."""

from typing import Any

import numpy as np
import polars as pl

from experiments.comparison.groups.bands import BANDS
from experiments.comparison.swept import Swept
from experiments.stored.cells import cell

MARKERS = "os^Dv<>P"
ANNOTATED = 100
"""Cells of a heat map that carry their number."""
EXPLODED = 1e4
"""Times the usual mean: what lies above leaves a line's picture at the top, where it would press all else together."""


def draw_swept(figure: Any, axes: Any, swept: Swept) -> None:
    """Draw into matplotlib's `axes`."""
    axes.set_title(plain(swept.title))
    {0: _spread, 1: _lines, 2: _map if len(swept.axes) == 2 and swept.grid else _points}[len(swept.axes)](
        figure, axes, swept
    )


def plain(text: object) -> str:
    """`text` without matplotlib's own markup."""
    return cell(text).replace("$", r"\$")


def bins(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Edges of about the square root of n bins over `values`, and whether they are logarithmic."""
    low, high = float(values.min()), float(values.max())
    logarithmic = low > 0 and high > 10 * low
    if low == high:
        low, high = low - 0.5, high + 0.5
    count = int(np.clip(np.sqrt(len(values)), 5, 40))
    return (np.geomspace if logarithmic else np.linspace)(low, high, count + 1), logarithmic


def wide(values: pl.Series) -> bool:
    """Whether positive numbers span more than a factor of 20, so that a logarithmic axis shows them better."""
    if not values.dtype.is_numeric() or not len(values):
        return False
    low, high = np.nanmin(values.to_numpy()), np.nanmax(values.to_numpy())
    return low > 0 and high > 20 * low


def _spread(_: Any, axes: Any, swept: Swept) -> None:
    values = swept.table["centre"].drop_nulls().to_numpy()
    edges, in_decades = bins(values)
    axes.hist(values, edges, color="#31688e", alpha=0.8, edgecolor="white", linewidth=0.5)
    linear(axes.xaxis, axes.yaxis)
    median = float(np.median(values))
    axes.axvline(median, color="crimson", linestyle="--", label=f"median {median:.4g}")
    axes.axvline(values.min(), color="black", linestyle=":", label=f"least {values.min():.4g}")
    if in_decades:
        logarithmic(axes.set_xscale, axes.xaxis)
    axes.legend(fontsize="small")
    without = swept.table["without"].sum()
    axes.set(xlabel=swept.measure.replace("_", " ") + (f" ({without} runs without)" if without else ""), ylabel="runs")


def _lines(_: Any, axes: Any, swept: Swept) -> None:
    key = swept.axes[0]
    numeric = swept.table.schema[key].is_numeric()
    words = [] if numeric else swept.table[key].unique().sort().to_list()
    linear(axes.xaxis, axes.yaxis)
    lowest = swept.table["low"].drop_nulls().to_numpy()
    lines = swept.table["line"].n_unique()
    for k, ((line,), part) in enumerate(swept.table.group_by("line", maintain_order=True)):
        at = part[key].to_numpy() if numeric else np.array([words.index(w) for w in part[key]])
        good = part["centre"].is_not_null()
        x, (mean, low, high) = at[good.to_numpy()], (part.filter(good)[c].to_numpy() for c in ("centre", "low", "high"))
        look = (("-", "--")[2 * k >= lines] if numeric else "") + MARKERS[k % len(MARKERS)]
        drawn = axes.plot(x, mean, look, markersize=5, label=plain(line) or swept.statistic)[0]
        if numeric:
            axes.fill_between(x, low, high, color=drawn.get_color(), alpha=0.15)
        else:
            axes.vlines(x, low, high, color=drawn.get_color(), alpha=0.5)
        lost = at[(part["without"] > 0).to_numpy()]
        across = axes.get_xaxis_transform()  # x in data, y as a share of the height
        axes.plot(lost, np.full(len(lost), 0.98 - 0.025 * k), "x", color=drawn.get_color(), transform=across)
    if swept.limit is not None:
        axes.axvline(swept.limit, color="black", linestyle=":", label=f"largest stable rate {swept.limit:.4g}")
    if wide(swept.table[key]):
        logarithmic(axes.set_xscale, axes.xaxis)
    centres = swept.table["centre"].drop_nulls().to_numpy()
    if len(centres) and centres.min() > 0 and (swept.band or lowest.min() > 0):
        within = centres[centres <= EXPLODED * np.median(centres)]
        if swept.band:  # which may reach below zero, where a logarithmic axis ends
            axes.set_ylim(bottom=max(centres.min() / 10, lowest[lowest > 0].min(initial=centres.min()) / 1.4))
        if len(within) < len(centres):
            axes.set_ylim(centres.min() / 10 if swept.band else lowest.min() / 2, 5 * within.max())
        logarithmic(axes.set_yscale, axes.yaxis)
    if not numeric:
        axes.set_xticks(range(len(words)), [plain(w) for w in words])
        axes.margins(x=0.2)
    axes.grid(alpha=0.25)
    note = f"{'shaded' if numeric else 'bars'}: {BANDS[swept.band] if swept.band else 'least to largest'}"
    note += "\n×: some diverged or failed" if swept.table["without"].sum() else ""
    axes.legend(fontsize="small", title=note, title_fontsize="x-small")
    axes.set(xlabel=plain(key), ylabel=swept.measure.replace("_", " "))


def _map(figure: Any, axes: Any, swept: Swept) -> None:
    across, down = swept.axes
    columns, lines = (swept.table[key].unique().sort().to_list() for key in (across, down))
    values = np.full((len(lines), len(columns)), np.nan)
    for x, y, mean in swept.table.select(across, down, "centre").iter_rows():
        values[lines.index(y), columns.index(x)] = np.nan if mean is None else mean
    shown = axes.imshow(np.ma.masked_invalid(values), origin="lower", aspect="auto", cmap="viridis", norm=_norm(values))
    axes.set_facecolor("#dddddd")
    _ticks(axes.set_xticks, columns, rotation=45, ha="right")
    _ticks(axes.set_yticks, lines)
    if values.size <= ANNOTATED:
        told = swept.table.select(across, down, "centre", "low", "high", "runs", "without")
        for x, y, mean, low, high, runs, without in told.iter_rows():
            text = "" if mean is None else f"{mean:.3g}"
            text += f"\n{low:.3g} to {high:.3g}" if swept.band and low is not None else ""
            text += f"\n{without}/{runs} lost" if without else ""
            dark = mean is not None and shown.norm(mean) < 0.6
            at = columns.index(x), lines.index(y)
            axes.text(*at, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    axes.set(xlabel=plain(across), ylabel=plain(down))
    _colourbar(figure, shown, axes)


def _ticks(place: Any, values: list[Any], **text: Any) -> None:
    step = max(1, len(values) // 20)
    place(range(0, len(values), step), [plain(v) for v in values[::step]], **text)


def _points(figure: Any, axes: Any, swept: Swept) -> None:
    across, down = swept.axes
    good = swept.table.filter(swept.table["centre"].is_not_null())
    x, y, mean = (good[c].to_numpy() for c in (across, down, "centre"))
    linear(axes.xaxis, axes.yaxis)
    shown = axes.scatter(x, y, c=mean, s=18, cmap="viridis", norm=_norm(mean))
    lost = swept.table.filter(swept.table["centre"].is_null())
    axes.plot(lost[across], lost[down], "x", color="crimson", markersize=4)
    for key, scale, axis in ((across, axes.set_xscale, axes.xaxis), (down, axes.set_yscale, axes.yaxis)):
        if wide(swept.table[key]):
            logarithmic(scale, axis)
    axes.set(xlabel=plain(across), ylabel=plain(down))
    _colourbar(figure, shown, axes)


def linear(*axes: Any) -> None:
    """Axes whose labels are numbers as everywhere else: 0.001, 1e-05."""
    for axis in axes:
        axis.set_major_formatter(_number)


def logarithmic(scale: Any, axis: Any) -> None:
    """A logarithmic axis whose labels are such numbers, and do not run into each other."""
    from matplotlib.ticker import LogLocator, NullFormatter

    scale("log")
    low, high = axis.get_view_interval()
    decades = np.log10(high / low)
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.5 else (1,), numticks=9))
    axis.set_major_formatter(_number)
    axis.set_minor_formatter(NullFormatter())


def _number(value: float, _: int) -> str:
    return f"{value:.8g}"


def _colourbar(figure: Any, shown: Any, axes: Any) -> None:
    from matplotlib.ticker import NullFormatter

    bar = figure.colorbar(shown, ax=axes, format=_number)
    bar.ax.yaxis.set_minor_formatter(NullFormatter())


def _norm(values: np.ndarray) -> Any:
    from matplotlib.colors import LogNorm

    finite = values[np.isfinite(values)]
    return LogNorm() if len(finite) and finite.min() > 0 and finite.max() > 10 * finite.min() else None
