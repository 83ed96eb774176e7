"""The table of a sweep: one row a job, as results.csv and on the terminal."""

import csv
import heapq
import io
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.comparison.deciding import FOLD, FOLDS, REPEATED, SEED, decide, repeat
from experiments.errors import UserError, nearest
from experiments.stored.ranking import (
    FINISHED,
    PER_TARGET,
    default_metric,
    larger_is_better,
    of_classes,
    of_targets,
    value_of,
)  # fmt: skip
from experiments.tracking.files import write_atomically
from experiments.tracking.pack_files import table, tables_can_be_written
from experiments.tracking.result import Result

if TYPE_CHECKING:
    import polars as pl

log = logging.getLogger("experiments")
Row = dict[str, Any]
SINGLE = ("train_loss", "validation_loss", "optimum_loss", "gap", "gap_relative")


def row(result: Result) -> Row:
    """What a result adds to its job's row: status, metrics, steps, seconds, and the error of a failed one."""
    metrics = result.metrics
    single = [*SINGLE, *(["data_loss"] if "data_loss" in metrics else []), *of_classes(metrics)]
    return {
        "status": result.status, **({} if result.rung is None else {"rung": result.rung}),
        **{name: metrics.get(name) for name in single}, **of_targets(metrics, result.targets),
        "epochs": result.epochs, "best_epoch": result.best_epoch, "steps": result.steps, "lr": result.lr,
        "seconds": result.timing["total_seconds"], "executed": result.executed, "config_hash": result.config_hash,
        "error": "" if result.error is None else result.error["message"],
    }  # fmt: skip


TAIL = ("epochs", "best_epoch", "steps", "lr", "seconds", "executed", "config_hash", "error")
"""The columns that stand last."""


def ordered(columns: Iterable[str]) -> list[str]:
    """The columns of all rows in their order in the table, each once."""
    known = dict.fromkeys(columns)
    return [c for c in known if c not in TAIL] + [c for c in TAIL if c in known]


def write_parquet(path: Path, rows: Sequence[Row], varied: Sequence[str]) -> None:
    """results.parquet, replaced whole: the columns of results.csv, those that varied as numbers where all are."""
    if not tables_can_be_written():
        log.info("%s is not written: this process is a fork beside polars, which then stands still", path.name)
        return
    columns = {name: [r.get(name) for r in rows] for name in ordered(name for r in rows for name in r)}
    frame, content = typed(table(columns), varied), io.BytesIO()
    frame.write_parquet(content)
    write_atomically(path, content.getvalue())


def typed(frame: "pl.DataFrame", varied: Sequence[str]) -> "pl.DataFrame":
    """The columns of what varied, texts, as whole numbers or numbers where all their values are."""
    import polars as pl

    def number(name: str) -> pl.Series:
        column = frame[name]
        for kind in (pl.Int64, pl.Float64):
            found = column.cast(kind, strict=False)
            if found.null_count() == column.null_count():
                return found
        return column

    return frame.with_columns(number(name) for name in varied if name in frame.columns)


def write_csv(path: Path, rows: Sequence[Row], durable: bool = True) -> None:
    """results.csv, replaced whole; the columns of all rows, empty where a row has none."""
    columns = ordered(name for r in rows for name in r)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([r.get(c) for c in columns] for r in rows)  # None is written as nothing
    write_atomically(path, text.getvalue().encode(), durable=durable)


def objective(result: Result, name: str | None) -> float | None:
    """The metric that a sweeper is told: `sweep.objective`, else the default one; infinitely bad for a bad run.

    Raises UserError for a target that the data have not, and for a metric that such runs have not.
    """
    if name is None:
        name = default_metric([{"status": result.status, **result.metrics}])
    overflown = result.status == "pruned" and result.metrics["train_loss"] is None
    if result.status in ("diverged", "failed") or overflown:
        return -math.inf if larger_is_better(name) else math.inf
    target = name.partition(".")[2]
    if target and target not in result.targets:
        hint = nearest(target, result.targets) or f"; there are {', '.join(result.targets)}"
        raise UserError(f"sweep.objective={name}: there is no target {target}{hint}")
    kind, other = ("numbers", "labels") if result.classes is None else ("labels", "numbers")
    if name.partition(".")[0] in PER_TARGET if result.classes else of_classes({name: None}):
        raise UserError(f"sweep.objective={name}: is of runs that predict {other}; this one predicts {kind}")
    if target or name in PER_TARGET:
        return value_of(of_targets(result.metrics, result.targets), name)
    if name == "data_loss":  # without a penalty it is the loss
        name = name if name in result.metrics else "train_loss"
    return result.metrics[name] if name in result.metrics else getattr(result, name)


def best(rows: Iterable[Row], name: str, count: int = 10) -> list[Row]:
    """The best rows by `name`, which each of them has; those without one left out."""
    ranked = ({**r, name: value} for r in rows if (value := _value(r, name)) is not None)
    sign = -1 if larger_is_better(name) else 1
    return heapq.nsmallest(count, ranked, key=lambda r: sign * r[name])


def counted(varied: Sequence[str]) -> str:
    """What repeats each setting, in a word: `seeds`, `folds`, or `runs` where both do; nothing where none does."""
    return {(SEED,): "seeds", (FOLD,): "folds", (): ""}.get(tuple(v for v in REPEATED if v in varied), "runs")


def over_seeds(rows: Iterable[Row], varied: Sequence[str], name: str) -> list[Row]:
    """Mean, standard deviation (n - 1), min and max of `name` over the seeds and folds of each setting; best first."""
    others, word = _others(varied), counted(varied)
    settings: dict[tuple[str, ...], list[float | None]] = {}
    for r in rows:
        settings.setdefault(tuple(str(r.get(v)) for v in others), []).append(_value(r, name))
    summary = []
    for at, values in settings.items():
        numbers = np.array([v for v in values if v is not None] or [math.nan])
        known = sum(v is not None for v in values)
        summary.append({
            **dict(zip(others, at, strict=True)), word: known, "without": len(values) - known,
            "mean": numbers.mean(), "std": numbers.std(ddof=1) if known > 1 else math.nan,
            "min": numbers.min(), "max": numbers.max(),
        })  # fmt: skip
    sign = -1 if larger_is_better(name) else 1
    return sorted(summary, key=lambda s: (math.isnan(s["mean"]), sign * s["mean"]))


def surest(rows: Sequence[Row], varied: Sequence[str], name: str, folds: int | None = None) -> str | None:
    """Which setting has the best mean of `name` over its seeds or folds, and how sure that is; None for one alone.

    `folds`: how many there are of a cross-validation, where every setting has as many.
    """
    ranked, others, word = over_seeds(rows, varied, name), _others(varied), counted(varied)
    if len(ranked) < 2 or min(r[word] for r in ranked[:2]) < 2:
        return None
    places = [tuple(at[v] for v in others) for at in ranked[:2]]
    of_both: dict[tuple[str, ...], dict[Any, float]] = {place: {} for place in places}
    for r in rows:
        its = of_both.get(tuple(str(r.get(v)) for v in others))
        if its is not None and (value := _value(r, name)) is not None:
            its[repeat({FOLDS: folds, **r})] = value
    first, second = (of_both[place] for place in places)
    if FOLD in varied and len(first.keys() & second.keys()) < 2:  # other folds hold out other rows
        return None
    best, next_best = (", ".join(f"{v}={at[v]}" for v in others) for at in ranked[:2])
    found = decide(first, second)
    if not found.difference:
        return f"best: {best} and {next_best}, whose mean {name} is the same"
    low, high = sorted((abs(found.low), abs(found.high)))
    pairs = f"{found.seeds} folds" if FOLD in varied else f"{found.seeds} pairs" if found.paired else "other seeds"
    said = f"best: {best}, whose mean {name} differs by {abs(found.difference):.4g} from that of {next_best}"
    if found.more == 0:
        return f"{said} (95 %: {low:.4g} to {high:.4g}, {pairs}, p {found.p:.2g})"
    tell = "no number of seeds would tell" if found.more is None else f"about {found.more} more seeds would tell"
    return f"{said}, which may be luck ({pairs}, p {found.p:.2g}{'' if FOLD in varied else f'; {tell}'})"


def _others(varied: Sequence[str]) -> list[str]:
    """The keys of a setting."""
    return [v for v in varied if v not in REPEATED]


def _value(row: Row, name: str) -> float | None:
    """The metric of a run that can be ranked, else None."""
    value = value_of(row, name)
    return value if isinstance(value, int | float) and row["status"] in FINISHED else None
