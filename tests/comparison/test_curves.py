"""Curves for drawing: thinned without losing a spike, and limits that a diverged run cannot stretch."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.stored_runs import OPTIMUM, write_run, write_runs
from experiments.comparison.choosing import ordered
from experiments.comparison.curves import curve_of, gather, in_packs, limits, thinned
from experiments.comparison.runs_table import collect
from experiments.comparison.swept import sweep_of


def test_a_thinned_curve_keeps_its_ends_and_its_spikes() -> None:
    epochs = np.arange(1, 10_001, dtype=float)
    losses = 1 / epochs
    losses[5_431], losses[777] = 50.0, 1e-9
    x, y = thinned(epochs, losses, 100)
    assert len(x) <= 100
    assert (x[0], x[-1]) == (1, 10_000)
    assert (y.max(), y.min()) == (50.0, 1e-9)
    assert x[y.argmax()] == 5_432
    assert (np.diff(x) > 0).all()


def test_a_short_curve_is_left_alone() -> None:
    x, y = thinned(np.arange(3.0), np.arange(3.0), 40)
    assert x.tolist() == y.tolist() == [0, 1, 2]


def test_limits_follow_the_runs_that_did_not_diverge() -> None:
    stable = (np.arange(3.0), np.array([100.0, 10.0, 2.0]))
    wild = (np.arange(3.0), np.array([100.0, 1e20, 1e35]))
    low, high = limits([stable, wild], ["completed", "diverged"], None)
    assert (low, high) == pytest.approx((2 / 1.4, 140))
    assert limits([stable], ["completed"], 1.0)[0] == pytest.approx(1 / 1.4)
    assert limits([stable], ["completed"], 1e-20)[0] == low


def test_a_run_that_explodes_without_diverging_is_followed_for_a_while() -> None:
    slow = (np.arange(2.0), np.array([100.0, 1e30]))
    assert limits([slow], ["completed"], None)[1] == pytest.approx(1.4 * 100 * 100)


def test_limits_without_anything_to_show_are_still_an_axis() -> None:
    assert limits([(np.zeros(0), np.zeros(0))], ["failed"], None) == (0.1, 10.0)


def test_material_has_the_optimum_and_says_what_leaves_at_the_top(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 1e-5, 0, epochs=4)
    b = write_run(tmp_path / "b", 2e-5, 0, epochs=4, status="diverged")
    (b / "metrics.jsonl").write_text('{"epoch": 1, "loss/train": 9e3}\n{"epoch": 2, "loss/train": 1e30}\n')
    runs = collect([tmp_path])
    (plot_data,), notes = gather(runs, runs.table)
    assert plot_data.optimum == OPTIMUM
    assert plot_data.leaving == 1
    assert any("predictions are not drawn" in note for note in notes)  # no weights are stored


def test_of_the_best_runs_alone_means_are_over_all(tmp_path: Path) -> None:
    write_runs(tmp_path, 40, epochs=3)
    runs = collect([tmp_path])
    best = ordered(runs.table, None).head(5)
    (plot_data,), _ = gather(runs, best, whole=runs.table)
    swept, every = plot_data.swept, sweep_of(runs.table, runs.varied)
    assert swept is not None and every is not None and swept.table.equals(every.table)
    assert plot_data.table["folder"].to_list() == best["folder"].to_list()
    for folder, (_, losses) in zip(best["folder"], plot_data.curves, strict=True):
        assert losses.tolist() == curve_of(folder)[1].tolist()


def test_a_loss_that_is_no_number_costs_the_curve_and_null_its_point(tmp_path: Path) -> None:
    lines = tmp_path / "metrics.jsonl"
    lines.write_text('{"epoch": 1, "loss/train": 2.5}\n{"epoch": 2, "loss/train": null}\n{"epoch": 3}\n')
    assert [part.tolist() for part in curve_of(str(tmp_path))] == [[1.0], [2.5]]
    lines.write_text('{"epoch": 1, "loss/train": {}}\n')
    with pytest.raises(ValueError, match="no number"):
        curve_of(str(tmp_path))


def test_packed_jobs_are_read_in_the_order_of_their_numbers() -> None:
    names = ["s/10_a", "s/9_b", "r/11", "s/last", "s/100"]
    assert sorted(names, key=in_packs) == ["r/11", "s/last", "s/9_b", "s/10_a", "s/100"]
