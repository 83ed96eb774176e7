"""`experiments predict RUN 75,63,44 [...]` or `--table FILE`: predictions in the targets' units.

Rows are given as the columns of the table that the run was trained on: levels of text as they stand in it.
"""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.cli.commands.arguments import Parser, as_values
from experiments.data.files import given_rows, inputs
from experiments.errors import UserError, one_line
from experiments.stored.lookup import MEANING, load_run
from experiments.stored.stored_run import Run
from experiments.tracking.files import write_atomically

if TYPE_CHECKING:
    import polars

NAMED = 10
"""Rows without a prediction that are named."""


def main(arguments: Sequence[str]) -> int:
    """Print one line per input row, or write them to --out; exit status 0."""
    parser = Parser("predict", description="Predict with a stored run, in the units of its table.")
    parser.add_argument("run", metavar="RUN", help=MEANING)
    parser.add_argument(
        "rows", nargs="*", metavar="VALUES", help="an input row, as 75,63,44 or b=63,a=75; several give several lines"
    )
    parser.add_argument("--table", metavar="FILE", help="as data=table reads it; columns by name in any order")
    parser.add_argument("--out", metavar="FILE", help="CSV or Parquet: the table with a column per target added")
    asked = parser.read(as_values(arguments))
    if bool(asked.rows) == (asked.table is not None):
        raise UserError("predict: give either rows, as 75,63,44, or --table FILE")
    if asked.out is not None and asked.table is None:
        raise UserError("predict: --out goes with --table")
    if asked.out is not None and Path(asked.out).suffix.lower() not in (".csv", ".parquet"):
        raise UserError(f"--out {one_line(asked.out)}: must end in .csv or .parquet")
    run = load_run(asked.run)
    model = run.model
    if asked.table is None:
        x = inputs.from_frame(given_rows.from_words(asked.rows, model.encoding.inputs), model.encoding, "")
        _warn(run, x)
        _print(run, model.of(x))
        return 0
    table = given_rows.from_file(asked.table)
    x, answered, refused = inputs.answerable(table, model.encoding, asked.table)
    if refused and not len(x):
        raise UserError(refused[0] + f" (and none of the other {len(refused) - 1} rows)" * (len(refused) > 1))
    for line in refused[:NAMED]:
        print(f"warning: no prediction: {line}", file=sys.stderr)
    if len(refused) > NAMED:
        print(f"warning: no prediction for {len(refused) - NAMED} rows more", file=sys.stderr)
    _warn(run, x)
    predictions = np.full((len(answered), len(model.targets)), np.nan)
    predictions[answered] = model.of(x)
    if asked.out is None:
        _print(run, predictions)
    else:
        _write(table, model.targets, predictions, Path(asked.out))
        print(f"{len(x)} rows: {asked.out}" + f" ({len(refused)} without a prediction)" * bool(refused))
    return 0


def _warn(run: Run, x: Any) -> None:
    """Say what the predictions are not worth."""
    if run.status == "diverged":
        print("warning: this run diverged; its predictions mean nothing", file=sys.stderr)
    for line in inputs.outside(x, run.model.features, (run.result or {}).get("ranges")):
        print(f"warning: {line}", file=sys.stderr)


def _print(run: Run, predictions: Any) -> None:
    """A line per row: every target with its unit; an empty one for a row without a prediction."""
    units = (run.result or {}).get("units")
    units = units if isinstance(units, dict) else {}
    for row in predictions.tolist():
        pairs = zip(run.model.targets, row, strict=True)
        said = [
            one_line(f"{name} {value:.6g} {units.get(name, '')}".rstrip()) for name, value in pairs if value == value
        ]
        print(", ".join(said))


def _write(table: "polars.DataFrame", targets: Sequence[str], predictions: Any, path: Path) -> None:
    """The table with `<target>_predicted` columns, empty where there is none, whole or not at all. Raises UserError."""
    import polars

    added = [polars.Series(f"{name}_predicted", predictions[:, k]).fill_nan(None) for k, name in enumerate(targets)]
    content = io.BytesIO()
    joined = table.with_columns(added)
    (joined.write_parquet if path.suffix.lower() == ".parquet" else joined.write_csv)(content)
    try:
        write_atomically(path, content.getvalue())
    except OSError as error:
        raise UserError(f"--out {one_line(path)}: can't be written ({error.strerror})") from None
