"""compare --png: each kind of panel is drawn, and shows what it should."""

import io
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from benchmarks.stored_runs import OPTIMUM, write_run, write_runs
from experiments.__main__ import main
from experiments.comparison.curves import gather
from experiments.comparison.picture import figure as drawn
from experiments.comparison.picture import png
from experiments.comparison.picture_swept import bins, draw_swept
from experiments.comparison.runs_table import METRICS, collect
from experiments.comparison.swept import sweep_of


def axes_of(**columns: Any) -> Any:
    """The middle panel drawn for runs with such columns."""
    height = len(columns["gap"])
    given = {"run": [str(i) for i in range(height)], "status": ["completed"] * height}
    given |= {m: pl.Series([None] * height, dtype=pl.Float64) for m in METRICS}
    swept = sweep_of(pl.DataFrame(given | columns), [c for c in columns if c not in ("gap", "status")])
    assert swept is not None
    figure = Figure()
    axes = figure.subplots()
    draw_swept(figure, axes, swept)
    figure.canvas.draw()
    return axes


def test_a_line_passes_through_the_means() -> None:
    axes = axes_of(lr=[0.1, 0.1, 0.2], seed=[0, 1, 0], gap=[1.0, 3.0, 7.0])
    assert axes.lines[0].get_xydata().tolist() == [[0.1, 2.0], [0.2, 7.0]]


def test_a_mean_that_exploded_leaves_the_picture_at_the_top() -> None:
    axes = axes_of(lr=[0.1, 0.2, 0.3, 0.4, 0.5], gap=[4.0, 3.0, 2.0, 1.0, 1e30])
    assert axes.get_ylim() == pytest.approx((0.5, 20))
    assert axes_of(lr=[0.1, 0.2, 0.3], gap=[4.0, 3.0, 9.0]).get_ylim()[1] < 20


def test_a_heat_map_has_the_means_in_its_cells() -> None:
    axes = axes_of(lr=[0.1, 0.2, 0.3] * 2, size=[1] * 3 + [2] * 3, gap=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert axes.images[0].get_array().tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
    assert [t.get_text() for t in axes.texts] == ["1", "4", "2", "5", "3", "6"]


def test_random_settings_are_points() -> None:
    axes = axes_of(lr=[0.1, 0.23, 0.37, 0.41, 0.5], momentum=[0.9, 0.1, 0.8, 0.3, 0.2], gap=[1.0, 2.0, 3.0, 4.0, 5.0])
    assert axes.collections[0].get_offsets().tolist() == pytest.approx(
        np.array([[0.1, 0.9], [0.23, 0.1], [0.37, 0.8], [0.41, 0.3], [0.5, 0.2]])
    )


def test_seeds_are_a_histogram_of_all_runs() -> None:
    axes = axes_of(seed=list(range(100)), gap=[float(g) for g in range(1, 101)])
    assert sum(patch.get_height() for patch in axes.patches) == 100


def test_words_have_places_and_the_lost_have_crosses() -> None:
    axes = axes_of(optimizer=["adam", "sgd"], gap=[1.0, 2.0], status=["completed", "diverged"])
    assert [t.get_text() for t in axes.get_xticklabels()] == ["adam", "sgd"]
    assert [line.get_xydata().tolist() for line in axes.lines if line.get_marker() == "x"] == [[[1.0, 0.98]]]


def test_bins_hold_every_value() -> None:
    for values in (np.array([3.0, 3.0]), np.array([1e-9, 1.0, 1e9]), np.array([-1.0, 5.0])):
        edges, _ = bins(values)
        assert edges[0] <= values.min()
        assert edges[-1] >= values.max()
    assert bins(np.array([1.0, 1e3]))[1]


def test_the_picture_is_dark_where_the_curves_are_and_has_a_red_optimum(tmp_path: Path) -> None:
    write_runs(tmp_path, 20, epochs=5)
    runs = collect([tmp_path])
    image = matplotlib.image.imread(io.BytesIO(png(drawn(gather(runs, runs.table)[0]))))[..., :3]
    assert image.shape[1] > 2 * image.shape[0]  # two panels beside each other
    left = image[:, : image.shape[1] // 2]
    red = (left[..., 0] - left[..., 1] > 0.2) & (left[..., 0] - left[..., 2] > 0.15)
    row = red.sum(axis=1).argmax()
    assert red[row].sum() > 0.3 * left.shape[1]  # dashes across the panel
    assert row > 0.6 * len(left)  # below the curves
    assert runs.table["train_loss"].to_numpy().min() > OPTIMUM


def test_markup_in_names_draws_and_does_not_fail(tmp_path: Path) -> None:
    for k, name in enumerate(("a$^{", "b_$\\frac{", "c%s{}")):
        write_run(tmp_path / name, 1e-5 * (k + 1), k, epochs=3)
    assert main(["compare", str(tmp_path), "--png", "p.png"]) == 0
    assert Path("p.png").read_bytes().startswith(b"\x89PNG")
