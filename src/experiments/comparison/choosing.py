"""Which runs and columns of a comparison are wanted: --where, --sort, --top, --group-by, --columns."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import polars as pl

from experiments.comparison.runs_table import SHOWN, Runs, per_target, ranked_by
from experiments.config.schema import PER_TARGET
from experiments.errors import UserError, nearest, one_line
from experiments.stored.ranking import larger_is_better

Table = TypeVar("Table", pl.DataFrame, pl.LazyFrame)
WORDS = re.compile(r"""'(?:[^']|'')*'|"[^"]*"|[A-Za-z_][\w.]*""")


def shorter(columns: Sequence[str]) -> dict[str, list[str]]:
    """What columns may be called besides their names: `lr` of `optimizer.lr`, `r2` and `apples` of `r2.apples`."""
    found: dict[str, list[str]] = {}
    for name in columns:
        for short in {name.rpartition(".")[2], name.partition(".")[0]} - {name}:
            if name.endswith(f".{short}") or short in PER_TARGET:
                found.setdefault(short, []).append(name)
    return found


def column(name: str, columns: Sequence[str]) -> str:
    """The column that `name` means: itself, or the only one that may be called so. Raises UserError."""
    if name in columns:
        return name
    if not name:
        raise UserError("a column's name is empty; --columns help lists the names")
    like = shorter(columns).get(name, [])
    if len(like) == 1:
        return like[0]
    raise UserError(f"{one_line(name)}: there is no such column{_hint(name, columns)}")


def _hint(name: str, columns: Sequence[str]) -> str:
    like = shorter(columns)
    if name in like:
        return f", but several that end or begin so: {', '.join(like[name])}"
    return nearest(name, [*columns, *like])


def where(table: Table, expression: str) -> Table:
    """The rows for which an SQL expression holds, as `optimizer.lr < 0.1 and status = 'completed'`.

    The expression is parsed by polars: it can name columns and polars' functions and nothing else. Raises UserError.
    """
    said, names = f"--where {one_line(expression)}", table.collect_schema().names()
    if not expression.strip():
        raise UserError("--where: the condition is empty; write one, as gap < 1 and optimizer = 'sgd'")
    if ";" in re.sub(r"'[^']*'|\"[^\"]*\"", "", expression):  # some versions of polars drop what comes after it
        raise UserError(f"{said}: more than one; write an SQL condition, as gap < 1 and optimizer = 'sgd'")
    try:
        kept = table.filter(pl.sql_expr(quoted(expression, names)))
        kept.collect_schema()  # a lazy one finds out here what its columns are
        return kept
    except pl.exceptions.ColumnNotFoundError as error:
        found = re.search(r'unable to find column "([^"]*)"', str(error))
        name = found.group(1) if found else "a name"
        hint = _hint(name, names)
        raise UserError(
            f"{said}: there is no column {one_line(name)}{hint} (a text stands in 'single quotes')"
        ) from None
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        first = one_line(str(error).partition("\n")[0])
        raise UserError(f"{said}: {first}; write an SQL condition, as gap < 1 and optimizer = 'sgd'") from None


def quoted(expression: str, columns: Sequence[str]) -> str:
    """Columns' names, whole or shorter, as SQL's quoted names; texts stay as they are.

    A dotted name that no column has is quoted too, so that polars refuses it by the whole of it.
    """
    unique = {short: names[0] for short, names in shorter(columns).items() if len(names) == 1}

    def name(match: re.Match[str]) -> str:
        word = match.group()
        if word[0] in "'\"":
            return word
        if word not in columns:
            word = unique.get(word, word)
        return f'"{word}"' if "." in word or word in columns else word

    return WORDS.sub(name, expression)


def ordered(table: pl.DataFrame, sort: str | None, *, reverse: bool = False) -> pl.DataFrame:
    """Sorted by a column, the best first and the empty ones last.

    Without a column each group of runs that compare is sorted by its default metric, the largest group first.
    """
    if sort is not None:
        by = column(sort, table.columns)
        return table.sort(by, descending=reverse != larger_is_better(by), nulls_last=True, maintain_order=True)
    parts = sorted(table.partition_by("group", maintain_order=True), key=lambda part: -part.height)
    ranked = [part.sort(ranked_by(part), descending=reverse, nulls_last=True, maintain_order=True) for part in parts]
    return pl.concat(ranked)


def first(table: pl.DataFrame, count: int) -> pl.DataFrame:
    """The first rows of each group of runs that compare."""
    return pl.concat([part.head(count) for part in table.partition_by("group", maintain_order=True)])


@dataclass(frozen=True)
class Choice:
    """--where, --sort, --reverse and --top: which of some rows are wanted, and in which order. Raises UserError."""

    where: str | None = None
    sort: str | None = None
    reverse: bool = False
    top: int | None = None

    def __post_init__(self) -> None:
        if self.top is not None and self.top < 0:
            raise UserError(f"--top {self.top}: must be at least 0")

    def of(self, runs: pl.DataFrame) -> pl.DataFrame:
        """The runs that are asked for, in their order."""
        table = ordered(self.filtered(runs), self.sort, reverse=self.reverse)
        if not self.top:
            return table
        return first(table, self.top) if self.sort is None else table.head(self.top)

    def filtered(self, runs: pl.DataFrame) -> pl.DataFrame:
        """The runs for which the condition holds; at least one."""
        kept = runs if self.where is None else where(runs, self.where)
        if not kept.height:
            raise UserError(f"--where {one_line(self.where)}: holds for none of the {runs.height} runs")
        return kept

    def of_groups(self, table: pl.DataFrame, statistic: str = "") -> pl.DataFrame:
        """The first rows of a table of groups, sorted where that is asked for: by a column, or a metric's statistic."""
        if self.sort is not None:
            named = f"{self.sort} {statistic}"
            table = ordered(table, named if named in table.columns else self.sort, reverse=self.reverse)
        elif self.reverse:
            table = table.reverse()
        return table.head(self.top) if self.top else table


def columns(table: pl.DataFrame, wanted: str) -> pl.DataFrame:
    """The columns that --columns names. Raises UserError."""
    chosen = [column(name.strip(), table.columns) for name in wanted.split(",") if name.strip()]
    if not chosen:
        raise UserError("--columns: name at least one, as run,optimizer.lr,gap")
    return table.select(list(dict.fromkeys(chosen)))


def default_columns(runs: Runs, table: pl.DataFrame) -> pl.DataFrame:
    """Run, group, the keys that differ, status, metrics (where some run has one), seconds."""
    there = [c for c in (*SHOWN, *per_target(table), "seconds") if c in table.columns]
    shown = [c for c in there if c == "status" or table[c].is_not_null().any()]
    keys = [c for c in runs.varied if table[c].is_not_null().any()]
    apart = ["group"] if table["group"].n_unique() > 1 else []
    return table.select("run", *apart, *keys, *shown)
