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
from experiments.tracking.decisions import labels, probabilities
from experiments.tracking.files import write_asked

if TYPE_CHECKING:
    import polars


def main(arguments: Sequence[str]) -> int:
    """Print one line per input row, or write them to --out; exit status 0."""
    parser = Parser("predict", description="Predict with a stored run, in the units of its table.")
    parser.add_argument("run", metavar="RUN", help=MEANING)
    parser.add_argument(
        "rows", nargs="*", metavar="VALUES", help="an input row, as 75,63,44 or b=63,a=75; several give several lines"
    )
    parser.add_argument("--table", metavar="FILE", help="the rows of a file; its columns may stand in any order")
    parser.add_argument("--proba", action="store_true", help="of classes: the probability of each")
    parser.add_argument("--out", metavar="FILE", help="CSV or Parquet: the table, and a column for each prediction")
    asked = parser.read(as_values(arguments))
    if bool(asked.rows) == (asked.table is not None):
        raise UserError("predict: give either rows, as 75,63,44, or --table FILE")
    if asked.out is not None and asked.table is None:
        raise UserError("predict: --out goes with --table")
    if asked.out is not None and Path(asked.out).suffix.lower() not in (".csv", ".parquet"):
        raise UserError(f"--out {one_line(asked.out)}: must end in .csv or .parquet")
    run = load_run(asked.run)
    model = run.model
    if asked.proba and model.classes is None:
        raise UserError(f"--proba: {one_line(run.folder.name)} predicts numbers, not classes")
    if asked.table is None:
        x = inputs.from_frame(given_rows.from_words(asked.rows, model.encoding.inputs), model.encoding, "")
        _warn(run, x)
        sys.stdout.writelines(f"{line}\n" for line in said(run, model.of(x), asked.proba))
        return 0
    table = given_rows.from_file(asked.table)
    x, answered, why = inputs.answerable(table, model.encoding, asked.table)
    refused = len(answered) - len(x)
    if refused and not len(x):
        raise UserError(why[0] + f" (and none of the other {refused - 1} rows)" * (refused > 1))
    for line in why:
        print(f"warning: no prediction: {line}", file=sys.stderr)
    if refused > len(why):
        print(f"warning: no prediction for {refused - len(why)} rows more", file=sys.stderr)
    _warn(run, x)
    outputs = model.of(x)
    if asked.out is None:
        lines = iter(said(run, outputs, asked.proba))
        sys.stdout.writelines(f"{next(lines) if found else ''}\n" for found in answered)  # empty without a prediction
    else:
        _write(table, columns_of(run, outputs, asked.proba), answered, Path(asked.out))
        print(f"{len(x)} rows: {asked.out}" + f" ({refused} without a prediction)" * bool(refused))
    return 0


def _warn(run: Run, x: Any) -> None:
    """Say what the predictions are not worth."""
    if run.status == "diverged":
        print("warning: this run diverged; its predictions mean nothing", file=sys.stderr)
    for line in inputs.outside(x, run.model.features, (run.result or {}).get("ranges")):
        print(f"warning: {line}", file=sys.stderr)


def said(run: Run, outputs: Any, proba: bool) -> list[str]:
    """A line for each row of outputs: every target with its unit, or the most likely class with its probability."""
    model = run.model
    if model.classes is None:
        units = (run.result or {}).get("units")
        units = units if isinstance(units, dict) else {}
        named = [(name, units.get(name, "")) for name in model.targets]
        rows = (zip(named, row, strict=True) for row in outputs.tolist())
        return [", ".join(one_line(f"{n} {value:.6g} {unit}".rstrip()) for (n, unit), value in row) for row in rows]
    chances, lines = probabilities(outputs), []
    for row in chances:
        if proba:
            lines.append(", ".join(one_line(f"{c} {p:.6g}") for c, p in zip(model.classes, row, strict=True)))
        else:
            lines.append(one_line(f"{model.targets[0]} {model.classes[row.argmax()]} (probability {row.max():.4g})"))
    return lines


def columns_of(run: Run, outputs: Any, proba: bool) -> dict[str, Any]:
    """What --out adds to the table: `<target>_predicted`, and with --proba a column for each class."""
    model = run.model
    if model.classes is None:
        return {f"{name}_predicted": outputs[:, k] for k, name in enumerate(model.targets)}
    columns = {f"{model.targets[0]}_predicted": labels(outputs, model.classes)}
    if proba:
        columns |= {f"{model.targets[0]}={c}": p for c, p in zip(model.classes, probabilities(outputs).T, strict=True)}
    return columns


def _write(table: "polars.DataFrame", columns: dict[str, Any], answered: Any, path: Path) -> None:
    """The table with more columns, empty where a row has no prediction, whole or not at all. Raises UserError."""
    import polars

    places = polars.Series(np.where(answered, np.cumsum(answered) - 1, -1)).replace(-1, None)
    added = [polars.Series(name, values).gather(places) for name, values in columns.items()]
    content = io.BytesIO()
    joined = table.with_columns(added)
    (joined.write_parquet if path.suffix.lower() == ".parquet" else joined.write_csv)(content)
    write_asked("--out", path, content.getvalue())
