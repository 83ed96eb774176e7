"""What the picture and the page draw: loss curves, the gap against the varied keys, the best run's predictions."""

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from experiments.errors import UserError, one_line
from experiments.runs import stored
from experiments.runs.table import Runs

Array = np.ndarray


@dataclass
class Material:
    """`table`: the chosen runs, best first, with a curve each: epochs (k,) and training losses (k,).

    `optimum`: the smallest possible loss, None where the runs have several. `keys`: the numeric keys that vary,
    at most two, to draw the gap against. `best`: true and predicted values (n, targets) of the best run.
    """

    table: pl.DataFrame
    varied: list[str]
    curves: list[tuple[Array, Array]]
    optimum: float | None
    keys: list[str]
    best: tuple[Array, Array, list[str]] | None
    notes: list[str] = field(default_factory=list)


def gather(runs: Runs, table: pl.DataFrame) -> Material:
    """Read the curves of the chosen runs, and predict with the first."""
    notes: list[str] = []
    curves = []
    for folder in table["folder"]:
        try:
            curves.append(_curve(folder))
        except (OSError, ValueError) as error:
            notes.append(f"{one_line(folder)}: metrics.jsonl: {one_line(error)}; no curve")
            curves.append((np.zeros(0), np.zeros(0)))
    optima = table["optimum_loss"].drop_nulls().unique().to_list()
    same = bool(optima) and max(optima) - min(optima) <= 1e-6 * abs(max(optima))
    best = None
    if table.height and table["status"][0] in ("completed", "stopped_early"):
        try:
            best = _best(table["folder"][0], table["data_hash"][0])
        except (UserError, ValueError, OSError) as error:
            notes.append(f"the best run's predictions are not drawn: {one_line(error)}")
    return Material(table, runs.varied, curves, optima[0] if same else None, _keys(runs, table), best, notes)


def _curve(folder: str) -> tuple[Array, Array]:
    records = stored.records(folder)
    pairs = [(r["epoch"], stored.finite(r.get("loss/train"))) for r in records]
    pairs = [(float(epoch), loss) for epoch, loss in pairs if loss is not None and stored.finite(epoch) is not None]
    epochs, losses = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(epochs, dtype=np.float32), np.array(losses, dtype=np.float64)


def _keys(runs: Runs, table: pl.DataFrame) -> list[str]:
    """The varied numeric keys but the seed, which is averaged over; the two with most values when there are more."""
    numeric = [k for k in runs.varied if table.schema[k].is_numeric() and table[k].drop_nulls().n_unique() > 1]
    keys = [k for k in numeric if k != "seed"] or numeric
    return sorted(keys, key=lambda k: -table[k].n_unique())[:2]


def _best(folder: str, data_hash: str | None) -> tuple[Array, Array, list[str]]:
    """The training rows' targets as they are and as predicted.

    The table is read again by the framework's own data classes only, and taken only if it is the one trained on.
    Raises UserError.
    """
    from experiments.config import Custom
    from experiments.runs.model import Model
    from experiments.validation import validate

    run = stored.read(folder)
    model = Model(run)  # refuses before torch is waited for
    config = validate({k: v for k, v in run.config.items() if k != "config_hash"})
    if isinstance(config.data, Custom):
        raise UserError("its data is of a class of one's own")
    import torch

    from experiments import assembly
    from experiments.data.prepared import data_hash as hash_of

    table = assembly.load(config, torch.device("cpu"), torch.float64).table
    if hash_of(table) != data_hash:
        raise UserError("its data has changed since")
    rows = slice(None, None, max(1, len(table.x) // MOST_POINTS))
    x, y = table.x[rows].double().numpy(), table.y[rows].double().numpy()
    return y, model(x), list(table.targets)


MOST_POINTS = 5_000
"""Rows of the best run that are drawn."""


def gaps(material: Material) -> pl.DataFrame:
    """Mean, least and largest gap (or training loss, where no run has a gap) per value of the keys."""
    measure = measured(material)
    named = [pl.col(k) for k in material.keys]
    chosen = material.table.filter(pl.col(measure).is_not_null(), *[c.is_not_null() for c in named])
    how = [pl.col(measure).mean().alias("mean"), pl.col(measure).min().alias("min"), pl.col(measure).max().alias("max")]
    return chosen.group_by(material.keys).agg(how).sort(material.keys)


def measured(material: Material) -> str:
    """The metric that runs are ranked by."""
    return "gap" if material.table["gap"].is_not_null().any() else "train_loss"
