"""`load_run(folder)`: a stored run in a notebook."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.errors import UserError, one_line
from experiments.stored import folders, stored_run

if TYPE_CHECKING:
    import polars

    from experiments.stored.stored_model import Model


@dataclass(frozen=True)
class Run:
    """A stored run: `config` and `result` as config.json and result.json have them (result None while unfinished)."""

    folder: Path
    config: dict[str, Any]
    result: dict[str, Any] | None

    @cached_property
    def metrics(self) -> "polars.DataFrame":
        """metrics.jsonl: a row per logged epoch, a column per tag."""
        import polars

        name = one_line(self.folder.name)
        try:
            records = stored_run.records(str(self.folder))
            return polars.from_dicts(records, infer_schema_length=None) if records else polars.DataFrame()
        except (OSError, ValueError) as error:
            raise UserError(f"{name}: metrics.jsonl can't be read: {one_line(error)}") from None
        except (polars.exceptions.PolarsError, TypeError, OverflowError):
            raise UserError(f"{name}: metrics.jsonl is no table of numbers") from None

    @cached_property
    def model(self) -> "Model":
        """The trained model: `model(rows)`; `model.weight`, `model.bias`; `model.module` for torch."""
        from experiments.stored.stored_model import Model

        return Model(stored_run.Stored(str(self.folder), self.config, self.result, {}))

    def predict(self, rows: Any) -> np.ndarray:
        """Predictions (n, targets) for rows (n, features), or (targets,) for one row, in the table's units."""
        return self.model(rows)


def load_run(run: str | Path) -> Run:
    """A stored run: its folder, `last`, or a unique prefix of its name below outputs/. Raises UserError."""
    folder = folders.resolve(str(run))
    found = open_run(folder)
    return Run(folder, found.config, found.result)


def open_run(folder: Path) -> stored_run.Stored:
    """The run in a folder, for a command that needs this one. Raises UserError."""
    try:
        return stored_run.read(str(folder))
    except ValueError as error:
        raise UserError(f"{one_line(folder.name)}: {one_line(error)}") from None
