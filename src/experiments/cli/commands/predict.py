"""`experiments predict RUN 75,63,44 [...]` or `--table FILE`: predictions in the targets' units.

Rows are given as the columns of the table that the run was trained on: levels of text as they stand in it.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.cli.commands.arguments import Parser, as_values
from experiments.errors import UserError, one_line
from experiments.stored import inputs
from experiments.stored.lookup import MEANING, load_run


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
    assert run.result is not None
    if asked.table is not None:
        table = inputs.read_table(asked.table)
        rows = inputs.from_table(table, model.encoding, asked.table)
    else:
        table, rows = None, inputs.from_words(asked.rows, model.encoding)
    if run.status == "diverged":
        print("warning: this run diverged; its predictions mean nothing", file=sys.stderr)
    for line in inputs.outside(rows, model.features, run.result.get("ranges")):
        print(f"warning: {line}", file=sys.stderr)
    predictions = model(rows)
    if asked.out is not None:
        _write(table, model.targets, predictions, Path(asked.out))
        print(f"{len(predictions)} rows: {asked.out}")
        return 0
    units = run.result.get("units")
    for row in predictions.tolist():
        print(", ".join(_said(n, v, units) for n, v in zip(model.targets, row, strict=True)))
    return 0


def _said(target: str, value: float, units: Any) -> str:
    unit = units.get(target, "") if isinstance(units, dict) else ""
    return one_line(f"{target} {value:.6g} {unit}".rstrip())


def _write(table: Any, targets: Sequence[str], predictions: Any, path: Path) -> None:
    """The table with `<target>_predicted` columns, whole or not at all. Raises UserError."""
    import io

    import polars

    from experiments.tracking.files import write_atomically

    added = [polars.Series(f"{name}_predicted", predictions[:, k]) for k, name in enumerate(targets)]
    content = io.BytesIO()
    joined = table.with_columns(added)
    (joined.write_parquet if path.suffix.lower() == ".parquet" else joined.write_csv)(content)
    try:
        write_atomically(path, content.getvalue())
    except OSError as error:
        raise UserError(f"--out {one_line(path)}: can't be written ({error.strerror})") from None
