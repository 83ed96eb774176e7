"""Many runs as one table: a row per run, the config keys, the final metrics."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from experiments.config.schema import PER_TARGET
from experiments.errors import UserError, one_line
from experiments.stored import stored_run
from experiments.stored.cells import cell
from experiments.stored.comparable import differs, groups, remarks
from experiments.stored.folders import NOTHING, find
from experiments.stored.ranking import default_metric, of_classes
from experiments.stored.run_files import finite
from experiments.stored.stored_run import Run
from experiments.tracking import packed
from experiments.tracking.hparams import flat

METRICS = ("train_loss", "validation_loss", "optimum_loss", "gap", "gap_relative")
PREFIXES = tuple(f"{metric}." for metric in PER_TARGET)
MOST_TARGETS = 16
"""Targets at most whose metrics are columns."""
SHOWN = ("status", "train_loss", "validation_loss", "gap", "gap_relative", "accuracy", "validation_accuracy")
"""What is shown after the keys that differ, then the metrics of each target, then the seconds."""


@dataclass
class Runs:
    """`table`: run, group, every config key, then status, epochs, metrics, seconds, data_hash, folder.

    `group` is the same text for runs whose losses compare, see `comparable.groups`. `varied`: the keys with more than
    one value. `notes`: what could not be compared, a line each.
    """

    table: pl.DataFrame
    varied: list[str]
    notes: list[str] = field(default_factory=list)


def per_target(table: pl.DataFrame) -> list[str]:
    """The columns of metrics of which each target has one."""
    return [name for name in table.columns if name.startswith(PREFIXES)]


def collect(roots: Sequence[str | Path], packed_jobs: Callable[[str, list[str]], list[str]] | None = None) -> Runs:
    """Read every run below `roots`. Raises UserError when there is none.

    `packed_jobs` chooses among the jobs of a sweep's packs, and says so in the notes; by default all count.
    """
    notes: list[str] = []
    chosen = packed.folders if packed_jobs is None else lambda sweep: packed_jobs(sweep, notes)
    if rows := read(find(roots, notes, chosen), notes):
        return tabulate(rows, notes)
    said = [note for note in notes if not note.endswith(NOTHING)]
    why = f" ({said[0]}{f'; and {len(said) - 1} more' if len(said) > 1 else ''})" if said else ""
    raise UserError(f"{one_line(', '.join(map(str, roots)))}: no runs to compare{why}")


def read(folders: Sequence[str], notes: list[str]) -> list[Run]:
    """The runs in folders; those that can't be read are left out, with a note."""
    rows: list[Run] = []
    for folder in folders:
        try:
            rows.append(stored_run.read(folder))
        except ValueError as error:
            notes.append(f"{one_line(folder)}: {one_line(error)}; left out")
    return rows


def tabulate(rows: Sequence[Run], notes: list[str], each: Sequence[int] | None = None) -> Runs:
    """One DataFrame of all rows. A config key whose values are of several kinds becomes text.

    `each`: how many runs each of them stands for, if not for itself.
    """
    configs, folders = [flat(row.config) for row in rows], [str(row.folder) for row in rows]
    results = [_result(row) for row in rows]
    apart = groups(configs, [result["data_hash"] for result in results])
    outcomes = list(dict.fromkeys(key for result in results for key in result))
    taken = {"run", "group", "folder", "config_hash", *outcomes}
    found = dict.fromkeys(key for config in configs for key in config)
    keys = {name: key for key in found if (name := one_line(key)) not in taken}
    columns = {"run": pl.Series("run", names(folders)), "group": pl.Series("group", apart)}
    columns |= {name: _column(name, [config.get(key) for config in configs]) for name, key in keys.items()}
    for key in outcomes:
        columns[one_line(key)] = _column(one_line(key), [result.get(key) for result in results])
    columns["folder"] = pl.Series("folder", folders)
    if unfinished := sum(row.result is None for row in rows):
        words = "1 run has" if unfinished == 1 else f"{unfinished} runs have"
        notes.insert(0, f"{words} no result yet (under way or interrupted); the last logged values are shown")
    varied = [name for name, key in keys.items() if differs(key, configs)]
    return Runs(pl.DataFrame(columns), varied, remarks(apart, configs, each) + notes)


def _column(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and kinds:
        return pl.Series(
            name, values, dtype=pl.Int64 if kinds == {int} and _small(values) else pl.Float64, strict=False
        )
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    return pl.Series(name, [None if v is None else cell(v, longest=200) for v in values], dtype=pl.String)


def _small(values: list[Any]) -> bool:
    return all(value is None or abs(value) < 2**63 for value in values)


def _result(run: Run) -> dict[str, Any]:
    outcome, result = run.outcome, run.result or {}
    row: dict[str, Any] = {"status": outcome["status"], "epochs": outcome.get("epochs")}
    row |= {name: finite(outcome.get(name)) for name in ("lr", *METRICS, *of_classes(outcome))}
    about = result.get("conditioning")
    row["max_stable_lr"] = finite(about.get("max_stable_lr")) if isinstance(about, dict) else None
    row |= {"seconds": finite(result.get("timing", {}).get("total_seconds")), "data_hash": run.data_hash}
    if len(result.get("targets", ())) <= MOST_TARGETS:
        row |= {name: finite(value) for name, value in outcome.items() if name.startswith(PREFIXES)}
    return row


def ranked_by(table: pl.DataFrame) -> str:
    """The default metric of the runs in a table."""
    return default_metric(table.select("status", *METRICS).iter_rows(named=True))


def names(folders: Sequence[str]) -> list[str]:
    """The shortest tails of the paths that tell all runs apart: the folder's name, or with its parents'."""
    parts = [Path(os.path.abspath(folder)).parts for folder in folders]
    for length in range(1, 9):
        tails = ["/".join(part[-length:]) for part in parts]
        if len(set(tails)) == len(tails):
            return [one_line(tail) for tail in tails]
    return [one_line(folder) for folder in folders]
