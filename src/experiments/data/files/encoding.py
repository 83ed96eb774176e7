"""From a file's columns to a model's inputs, and how to do it again: `Encoding` is what a run stores of it."""

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from experiments.data.files.columns import (
    RowNumbers,
    first,
    in_file,
    numbers,
    require,
    words,
)  # fmt: skip
from experiments.data.files.levels import MISSING_LEVEL, numbered
from experiments.errors import UserError


@dataclass(frozen=True)
class Encoding:
    """The inputs' columns as the file names them, and what was learned of each.

    A column of k categories becomes k - 1 inputs called `column=level`, all of them zero at its first level; missing
    cells have the level MISSING_LEVEL, where that is one. In a column of `means` they are filled with its mean. `kinds`
    says which inputs are dates, times, durations or booleans, see `columns.numbers`.
    """

    inputs: tuple[str, ...]
    categories: dict[str, list[str]] = field(default_factory=dict)
    means: dict[str, float] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)

    @property
    def features(self) -> tuple[str, ...]:
        """The names of the inputs, categories spread out."""
        spread = [[f"{n}={v}" for v in self.categories[n][1:]] if n in self.categories else [n] for n in self.inputs]
        return tuple(name for names in spread for name in names)

    def columns(self, frame: pl.DataFrame, where: str, rows: RowNumbers = None) -> list[pl.Series]:
        """The inputs of a frame, each a column of floats; missing cells stay so where no mean fills them.

        Raises UserError for a column that is not there, for the first cell of text that is no number, and for one of
        categories that is none of them.
        """
        require(frame.columns, self.inputs, where)
        columns: list[pl.Series] = []
        for name in self.inputs:
            if name in self.categories:
                columns += self._spread(frame[name], where, rows)
                continue
            values = numbers(frame[name], where, rows)
            if name in self.means:
                values = values.fill_nan(None).fill_null(self.means[name])
            columns.append(values)
        return columns

    @staticmethod
    def from_json(stored: dict[str, Any]) -> "Encoding":
        """The encoding that `as_json` gave."""
        return Encoding(tuple(stored["inputs"]), stored["levels"], stored["means"], stored.get("kinds", {}))

    def as_json(self) -> dict[str, Any]:
        """What encoding.json holds."""
        return {"inputs": self.inputs, "levels": self.categories, "means": self.means, "kinds": self.kinds}

    def _spread(self, column: pl.Series, where: str, rows: RowNumbers) -> list[pl.Series]:
        """A column of 0 and 1 for each level but the first."""
        levels, text = list(dict.fromkeys(self.categories[column.name])), words(column, "data.one_hot")
        if MISSING_LEVEL in levels:
            text = text.fill_null(MISSING_LEVEL)
        # numbers, because to compare texts once a level costs several times as much
        code = numbered(text, levels, where, rows)
        if (row := first(code.is_null())) is not None:
            raise UserError(
                f"{where}: row {in_file(row, rows)}, column {column.name} is missing; correct it, or use "
                "data.missing=drop, or data.missing=level, which makes missing cells a level of their own"
            )
        spread = self.categories[column.name][1:]
        return [(code == levels.index(v)).cast(pl.Float32).alias(f"{column.name}={v}") for v in spread]
