"""What a search leaves: importances, values confirmed, the winner as `best`, as a preset, and in Python; the curve."""

import csv
import json
import math
import statistics
from pathlib import Path

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from experiments import load_run, search
from experiments.__main__ import main
from tests.sweeps.search.test_searching import MOMENTUM, RATE, stored

SHORT = "training.epochs=3"


def test_the_end_of_a_search(capsys: pytest.CaptureFixture[str]) -> None:
    asked = [RATE, MOMENTUM, "optimizer=sgd,rmsprop", SHORT, "search.trials=24", "search.batch=12", "search.seeds=2"]
    asked += ["search.confirm=3", "seed=4", "--save-preset", "won"]
    assert main(["-m", "hydra/sweeper=search", *asked]) == 0
    said = capsys.readouterr().out
    assert (
        "with 3 fresh seeds" in said
        and "importance: " in said
        and "preset: conf/experiment/won.yaml, as --config-dir conf experiment=won\n" in said
    )
    (folder,) = Path("outputs/sweeps").iterdir()
    trials = stored(str(folder))
    best = sorted(trials, key=lambda t: t.values[0])[:5]
    with (folder / "confirm" / "results.csv").open() as file:
        again = list(csv.DictReader(file))
    assert len(again) == 15 and {row["seed"] for row in again} == {"6", "7", "8"}
    confirmed = {
        t.number: statistics.mean(
            float(r["gap"]) for r in again if float(r["optimizer.lr"]) == t.params["optimizer.lr"]
        )
        for t in best
    }
    left = json.loads((folder / "search.json").read_text())
    winner = min(confirmed, key=lambda number: confirmed[number])
    assert left["trial"] == winner and left["confirmed"] == pytest.approx(confirmed[winner])
    assert left["best"].startswith(f"{2 * winner}_")
    assert load_run("best").folder == folder / left["best"]
    preset = yaml.safe_load(Path("conf/experiment/won.yaml").read_text())
    assert preset["defaults"] == [{"override /optimizer": trials[winner].params["optimizer"]}]
    assert preset["optimizer"]["lr"] == trials[winner].params["optimizer.lr"] and preset["training"] == {"epochs": 3}
    assert main(["--config-dir", "conf", "experiment=won", "seed=4", "tracking.figures=false"]) == 0
    (rerun,) = Path("outputs/runs").iterdir()
    hashes = [json.loads((run / "config.json").read_text())["config_hash"] for run in (rerun, folder / left["best"])]
    assert hashes[0] == hashes[1]
    curve = EventAccumulator(str(folder / "study")).Reload().Scalars("best/value")
    so_far = [min(t.values[0] for t in trials[: n + 1]) for n in range(24)]
    assert [(e.step, e.value) for e in curve] == [
        (n, pytest.approx(value, rel=1e-6)) for n, value in enumerate(so_far, start=1) if math.isfinite(value)
    ]
    capsys.readouterr()
    assert main(["compare", str(folder)]) == 0
    assert "study" not in capsys.readouterr().err
    assert main(["-m", "hydra/sweeper=search", RATE, "--save-preset", "won"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["--save-preset", "won"]) == 2


def test_a_preset_of_a_search_over_folds_is_of_all_of_them() -> None:
    asked = [RATE, SHORT, "data.folds=2", "search.trials=2", "search.confirm=0", "--save-preset", "won"]
    assert main(["-m", "hydra/sweeper=search", *asked]) == 0
    assert yaml.safe_load(Path("conf/experiment/won.yaml").read_text())["data"] == {"folds": 2}
    asked = [RATE, SHORT, "data.folds=2", "data.fold=1", "search.trials=2", "search.confirm=0", "--save-preset", "one"]
    assert main(["-m", "hydra/sweeper=search", *asked]) == 0
    assert yaml.safe_load(Path("conf/experiment/one.yaml").read_text())["data"] == {"folds": 2, "fold": 1}


def test_search_from_python() -> None:
    found = search(RATE, SHORT, trials=8, confirm=0)
    assert found.table["trial"].to_list() == list(range(8))
    least = found.table.sort("gap").row(0, named=True)
    assert found.best.config["optimizer"]["lr"] == least["optimizer.lr"]
    assert found.best.folder.parent == found.folder
