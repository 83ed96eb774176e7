"""Stored runs: found, read safely, compared; what can't be read is said and the others are compared."""

import os
from pathlib import Path

import orjson
import polars as pl
import pytest

from benchmarks.stored_runs import OPTIMUM, write_run, write_runs
from experiments import load_run
from experiments.comparison.runs_table import collect
from experiments.errors import UserError
from experiments.stored.lookup import resolve


def test_table_has_one_row_per_run_and_only_the_keys_that_differ(tmp_path: Path) -> None:
    write_runs(tmp_path, 20, epochs=3)
    runs = collect([tmp_path])
    assert runs.table.height == 20
    assert runs.varied == ["optimizer.lr", "seed"]
    assert runs.notes == []


def test_bad_runs_are_said_in_a_line_each_and_the_others_compared(tmp_path: Path) -> None:
    good = write_run(tmp_path / "good", 1e-5, 0, epochs=2)
    (write_run(tmp_path / "half", 1e-5, 1, epochs=2) / "result.json").write_text('{"status": "comp')
    edited = write_run(tmp_path / "edited", 1e-5, 2, epochs=2)
    result = orjson.loads((edited / "result.json").read_bytes())
    result["metrics"]["gap"] = "none"
    (edited / "result.json").write_bytes(orjson.dumps(result))
    (write_run(tmp_path / "writing", 1e-5, 3, epochs=2) / "result.json").unlink()
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "events.out.tfevents.1.x").write_bytes(b"")
    linked = tmp_path / "linked"
    linked.mkdir()
    os.symlink(good / "config.json", linked / "config.json")
    runs = collect([tmp_path])
    assert sorted(runs.table["run"]) == ["good", "writing"]
    unfinished = runs.table.row(by_predicate=pl.col("run") == "writing", named=True)
    assert unfinished["status"] == "unfinished"
    assert unfinished["train_loss"] == pytest.approx(OPTIMUM + unfinished["gap"])
    for word in ("half", "edited", "foreign", "linked", "no result yet"):
        assert sum(word in note for note in runs.notes) == 1, (word, runs.notes)


def test_other_data_sets_are_said(tmp_path: Path) -> None:
    write_run(tmp_path / "a", 1e-5, 0, epochs=2)
    write_run(tmp_path / "b", 1e-5, 0, epochs=2, environment={"data_hash": "ffff"})
    assert any(
        "2 groups are kept apart, data.hash=e0f4464a (1); data.hash=ffff (1)" in note
        for note in collect([tmp_path]).notes
    )


def test_a_run_is_a_folder_last_or_a_unique_prefix(tmp_path: Path) -> None:
    first, second = (write_run(tmp_path / "runs" / n, 1e-5, 0, epochs=2) for n in ("2026_aa", "2026_ab"))
    os.utime(first / "config.json", (1, 1))
    assert resolve("last", tmp_path) == second
    assert resolve("2026_aa", tmp_path) == first
    with pytest.raises(UserError, match="2 runs are called so"):
        resolve("2026", tmp_path)


def test_load_run_has_metrics_and_leaves_out_a_line_still_being_written(tmp_path: Path) -> None:
    folder = write_run(tmp_path / "a", 1e-5, 0, epochs=3)
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"epoch": 4, "lo')
    assert load_run(folder).metrics["epoch"].to_list() == [1, 2, 3]
