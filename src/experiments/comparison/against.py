"""`compare --against`: every setting of some runs beside a baseline, decided over their seeds or folds."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from experiments.comparison.choosing import column
from experiments.comparison.deciding import FOLD, REPEATED, Decision, decide, holm, repeat
from experiments.comparison.groups.bands import STATISTICS, centre
from experiments.comparison.runs_table import Runs, ranked_by
from experiments.errors import UserError, one_line
from experiments.stored.cells import cell
from experiments.stored.lookup import resolve
from experiments.stored.ranking import FINISHED, larger_is_better

SURE = 0.05
"""Corrected p values below this decide."""
FEWEST = 2
"""Seeds of a setting from which there is a difference to tell."""
Setting = tuple[Any, ...]


def against(runs: Runs, table: pl.DataFrame, baseline: str, metric: str | None, statistic: str) -> pl.DataFrame:
    """A row for each setting that has a baseline: its keys, seeds, the metric, and what `deciding.decide` says.

    `baseline`: KEY=VALUE, and the baseline of a setting is the one that differs from it in that key alone; or a run,
    whose setting is the baseline of all. `metric`: of the table, by default the one it is ranked by. `seeds` (or
    `folds`) are those compared, `lost` the runs that diverged or failed; `p` is corrected for the number of settings
    (Holm). A setting that has lost too many runs has a row without a difference.

    Raises UserError.
    """
    if statistic not in STATISTICS:
        raise UserError(f"statistic={one_line(statistic)}: must be one of {', '.join(STATISTICS)}")
    metric = ranked_by(table) if metric is None else column(metric, table.columns)
    if not table.schema[metric].is_numeric():
        raise UserError(f"--sort {metric}: is no number, so there is no difference to tell")
    keys = ["group", *(key for key in runs.varied if key not in REPEATED)]
    settings: dict[Setting, dict[Any, float]] = {}
    lost: dict[Setting, int] = {}
    for row in table.iter_rows(named=True):
        at, value = tuple(row[key] for key in keys), row[metric]
        settings.setdefault(at, {})
        if row["status"] in FINISHED and value is not None and math.isfinite(value):
            settings[at][repeat(row)] = value
        else:
            lost[at] = lost.get(at, 0) + 1
    pairs = _pairs(baseline, keys, settings, table)
    if not pairs:
        raise UserError(f"--against {one_line(baseline)}: no other setting is there to compare with it")
    enough = {at: base for at, base in pairs.items() if min(len(settings[at]), len(settings[base])) >= FEWEST}
    if not enough and lost:
        gone = sum(lost.values())
        raise UserError(f"--against {one_line(baseline)}: too few runs are left, {gone} diverged or failed")
    decisions = {at: decide(settings[at], settings[base], statistic) for at, base in (enough or pairs).items()}
    corrected = dict(zip(decisions, holm([d.p for d in decisions.values()]), strict=True))
    sign = 1 if larger_is_better(metric) else -1
    rows = []
    for at, base in pairs.items():
        d, p = decisions.get(at), corrected.get(at)
        rows.append({
            **{key: None if value is None else cell(value) for key, value in zip(keys, at, strict=True)},
            "folds" if FOLD in runs.varied else "seeds": len(settings[at]) if d is None else d.seeds,
            "paired": d and d.paired, "lost": lost.get(at, 0) + lost.get(base, 0),
            metric: float(centre(np.array([*settings[at].values()]), statistic)) if settings[at] else None,
            "difference": d and d.difference, "low": d and d.low, "high": d and d.high, "p": p,
            "better": d and (d.likely if sign > 0 else 1 - d.likely),
            "verdict": "too few seeds" if d is None or p is None else verdict(d, p, sign),
        })  # fmt: skip
    found = pl.DataFrame(rows, infer_schema_length=None).sort(
        sign * -pl.col("difference"), nulls_last=True, maintain_order=True
    )
    return found.drop([key for key in keys if found[key].n_unique() == 1 and found[key][0] in (None, "")])


def _pairs(
    baseline: str, keys: Sequence[str], settings: dict[Setting, dict[Any, float]], table: pl.DataFrame
) -> dict[Setting, Setting]:
    """Each setting with its baseline. Raises UserError."""
    name, sign, wanted = baseline.partition("=")
    if sign and not Path(baseline).exists() and (name.isidentifier() or "." in name):
        if (known := column(name, [*keys, *REPEATED])) in REPEATED:
            raise UserError(f"--against {one_line(baseline)}: {known} repeats settings; name a key that they differ in")
        at = keys.index(known)
        key = keys[at]
        values = list(dict.fromkeys(cell(setting[at]) for setting in settings))
        if wanted not in values and (number := _number(wanted)) is not None:
            wanted = next((v for v in values if _number(v) == number), wanted)
        if wanted not in values:
            raise UserError(f"--against {one_line(baseline)}: {key} is {', '.join(sorted(values)[:10])} here")
        base = {(*s[:at], *s[at + 1 :]): s for s in settings if cell(s[at]) == wanted}
        others = {s: base.get((*s[:at], *s[at + 1 :])) for s in settings if cell(s[at]) != wanted}
        return {s: b for s, b in others.items() if b is not None}
    folder = resolve(baseline).absolute()
    rows = [row for row in table.iter_rows(named=True) if Path(row["folder"]).absolute() == folder]
    if not rows:
        raise UserError(f"--against {one_line(baseline)}: is none of the runs compared")
    base = tuple(rows[0][key] for key in keys)
    return {s: base for s in settings if s != base and s[0] == base[0]}


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def verdict(decision: Decision, p: float, sign: int) -> str:
    """`better`, `worse`, or how many seeds would tell; `sign` is 1 where more is better."""
    if p < SURE:
        return "better" if sign * decision.difference > 0 else "worse"
    if decision.more == 0:  # by itself, but not among so many
        return "undecided among so many"
    return "undecided" if decision.more is None else f"undecided: {decision.more} more seeds may tell"
