"""What is drawn of many keys: where values lie on axes, a search's trials, runs of several keys; into both files."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from experiments.__main__ import main
from experiments.comparison.choosing import ordered
from experiments.comparison.curves import gather
from experiments.comparison.keys.page import panels
from experiments.comparison.keys.picture import draw_keys
from experiments.comparison.keys.settings import Axis, settings_of
from experiments.comparison.runs_table import collect


def test_values_lie_on_axes_between_the_ends() -> None:
    rates = Axis("lr", np.array([1e-4, 1e-2, np.nan, 1e-3]), [], log=True)
    assert rates.shares == pytest.approx([0, 1, np.nan, 0.5], nan_ok=True)
    assert rates.ticks[0] == (0, "0.0001") and rates.ticks[2] == (0.5, "0.001")
    words = Axis("optimizer", np.array([2.0, 0.0, 1.0]), ["adam", "rmsprop", "sgd"], log=False)
    assert words.shares.tolist() == [1, 0, 0.5] and words.ticks[1] == (0.5, "rmsprop")
    assert Axis("one", np.array([3.0, 3.0]), [], log=False).shares.tolist() == [0.5, 0.5]


def test_a_search_shows_its_trials_those_of_no_folder_too_and_its_importances(capsys: Any) -> None:
    asked = ["optimizer.lr=tag(log,interval(1e-7,1e-3))", "optimizer.momentum=interval(0,0.9)", "model=manual,linear"]
    asked += ["training.epochs=9", "search.trials=24", "search.pruner=halving", "search.min_epochs=3"]
    assert main(["-m", "hydra/sweeper=search", *asked, "search.confirm=2", "hydra.sweep.dir=s"]) == 0
    runs = collect(["s"])
    plots, _ = gather(runs, runs.table)
    found = settings_of(plots[0])
    assert found is not None and len(found.value.values) > runs.table.height
    left = json.loads(Path("s/search.json").read_text())
    assert found.importance == left["importance"] and {key.name for key in found.keys} == set(left["parameters"])
    rate = next(key for key in found.keys if key.name == "optimizer.lr")
    of_search = runs.table.filter(~pl.col("folder").str.contains("/confirm/"))  # which are runs of it all the same
    assert of_search.height < runs.table.height
    best = of_search.sort("gap").row(0, named=True)
    assert rate.log and rate.values[0] == best["optimizer.lr"] and found.value.values[0] == best["gap"]
    figure: Any = Figure()
    draw_keys(figure.subfigures(1, 1), found)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles[1] == "importance (PED-ANOVA)" and len(titles) == 5  # the third of all is of a key, as two more
    assert len(figure.axes[0].collections[0].get_segments()) == len(found.value.values)
    assert sorted(bar.get_width() for bar in figure.axes[1].patches) == sorted(left["importance"].values())
    assert figure.axes[2].collections[0].get_offsets()[0].tolist() == [found.keys[0].values[0], best["gap"]]
    assert panels(found).children[1].children[1].renderers[0].data_source.data["3"][0] == best["gap"]
    assert main(["compare", "s", "--html", "a.html"]) == 0
    assert "importance (PED-ANOVA)" in Path("a.html").read_text()


def test_runs_have_parallel_coordinates_where_several_keys_differ() -> None:
    common = ["-m", "training.epochs=3", "optimizer.lr=1e-5,1e-6", "optimizer.momentum=0,0.5", "seed=1,2"]
    for name, more in (("two", []), ("three", ["model.init=zeros,normal"])):
        assert main([*common, *more, f"hydra.sweep.dir={name}"]) == 0
        runs = collect([name])
        found = settings_of(gather(runs, ordered(runs.table, None))[0][0])
        assert (found is None) == (name == "two")
    assert found is not None and found.importance == {} and found.lines.shape == (16, 4)
    best = runs.table.sort("gap")
    rate = next(key for key in found.keys if key.name == "optimizer.lr")
    assert found.value.values.tolist() == best["gap"].to_list()
    assert rate.values.tolist() == best["optimizer.lr"].to_list()
    figure: Any = Figure()
    draw_keys(figure.subfigures(1, 1), found)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == [*(k.name for k in found.keys), "gap"]
