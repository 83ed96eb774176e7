"""Which runs and columns of a comparison are wanted: --where, --sort, --top, --group-by, --columns."""

import re
from collections.abc import Sequence

import polars as pl

from experiments.comparison.runs_table import SHOWN, Runs, ranked_by
from experiments.errors import UserError, nearest, one_line

GROUPED = ("train_loss", "validation_loss", "gap")
WORDS = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|[A-Za-z_][\w.]*""")


def column(name: str, columns: Sequence[str]) -> str:
    """The column that `name` means: itself, or the only one that ends in `.name`. Raises UserError."""
    if name in columns:
        return name
    if not name:
        raise UserError("a column's name is empty; --columns help lists the names")
    ending = [c for c in columns if c.endswith(f".{name}")]
    if len(ending) == 1:
        return ending[0]
    if ending:
        raise UserError(f"{one_line(name)}: several columns end so: {', '.join(ending)}")
    short = [c.rpartition(".")[2] for c in columns]
    raise UserError(f"{one_line(name)}: there is no such column{nearest(name, [*columns, *short])}")


def where(table: pl.DataFrame, expression: str) -> pl.DataFrame:
    """The rows for which an SQL expression holds, as `optimizer.lr < 0.1 and status = 'completed'`.

    The expression is parsed by polars: it can name columns and polars' functions and nothing else. Raises UserError.
    """
    said = f"--where {one_line(expression)}"
    if not expression.strip():
        raise UserError("--where: the condition is empty; write one, as gap < 1 and optimizer = 'sgd'")
    if ";" in re.sub(r"'[^']*'|\"[^\"]*\"", "", expression):  # some versions of polars drop what comes after it
        raise UserError(f"{said}: more than one; write an SQL condition, as gap < 1 and optimizer = 'sgd'")
    try:
        return table.filter(pl.sql_expr(quoted(expression, table.columns)))
    except pl.exceptions.ColumnNotFoundError as error:
        found = re.search(r'unable to find column "([^"]*)"', str(error))
        name = found.group(1) if found else "a name"
        short = [c.rpartition(".")[2] for c in table.columns]
        hint = nearest(name, [*table.columns, *short])
        raise UserError(
            f"{said}: there is no column {one_line(name)}{hint} (a text stands in 'single quotes')"
        ) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        first = one_line(str(error).partition("\n")[0])
        raise UserError(f"{said}: {first}; write an SQL condition, as gap < 1 and optimizer = 'sgd'") from None


def quoted(expression: str, columns: Sequence[str]) -> str:
    """Dotted names, and last parts that only one column has, as SQL's quoted names; texts stay as they are.

    A dotted name that no column has is quoted too, so that polars refuses it by the whole of it.
    """
    lasts = [c.rpartition(".")[2] for c in columns]
    unique = {last: c for last, c in zip(lasts, columns, strict=True) if lasts.count(last) == 1}

    def name(match: re.Match[str]) -> str:
        word = match.group()
        if word[0] in "'\"":
            return word
        if word not in columns:
            word = unique.get(word, word)
        return f'"{word}"' if "." in word else word

    return WORDS.sub(name, expression)


def ordered(table: pl.DataFrame, sort: str | None, *, reverse: bool = False) -> pl.DataFrame:
    """Sorted by a column, the empty ones last; without one by the default metric."""
    by = ranked_by(table) if sort is None else column(sort, table.columns)
    return table.sort(by, descending=reverse, nulls_last=True, maintain_order=True)


def grouped(table: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """A row per value of the keys: runs, how many diverged, and mean, std (n - 1), min, max of each metric.

    The metrics are those of the runs that did not diverge: a loss on its way to infinity has no mean worth reading.
    """
    by = list(dict.fromkeys(column(key, table.columns) for key in keys))
    metrics = [m for m in GROUPED if table[m].is_not_null().any()]
    diverged = pl.col("status") == "diverged"
    measures = [
        getattr(pl.col(m).filter(~diverged), kind)().alias(f"{m} {kind}")
        for m in metrics
        for kind in ("mean", "std", "min", "max")
    ]
    count = [pl.len().alias("runs"), diverged.sum().alias("diverged")]
    return table.group_by(by, maintain_order=True).agg(*count, *measures).sort(by, nulls_last=True)


def columns(runs: Runs, table: pl.DataFrame, wanted: str | None) -> pl.DataFrame:
    """The columns named, or run, the keys that differ, status, metrics (where some run has one), seconds."""
    if wanted is not None:
        chosen = [column(name.strip(), table.columns) for name in wanted.split(",") if name.strip()]
        if not chosen:
            raise UserError("--columns: name at least one, as run,optimizer.lr,gap")
        return table.select(list(dict.fromkeys(chosen)))
    shown = [c for c in SHOWN if c == "status" or table[c].is_not_null().any()]
    keys = [c for c in runs.varied if table[c].is_not_null().any()]
    return table.select(["run", *keys, *shown])
