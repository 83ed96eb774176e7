"""How far a linear model's weights can be trusted: the table of their standard errors, from the run's training rows."""

from typing import TYPE_CHECKING

import torch

from experiments.config.schema import Config
from experiments.data.dataset import Dataset
from experiments.data.scaling import ROWS_AT_ONCE
from experiments.errors import Failure, UserError, one_line
from experiments.exact.optimum import LeastSquares
from experiments.exact.standard_errors import StandardErrors, standard_errors
from experiments.learning import devices
from experiments.learning.losses import SQUARED
from experiments.learning.penalty import penalized
from experiments.running import assembly
from experiments.running.factories import build_loss
from experiments.stored.stored_config import stored_config
from experiments.stored.stored_run import Run

if TYPE_CHECKING:
    import polars

INTERCEPT = "(intercept)"
LARGEST = 20_000_000
"""Training rows times inputs beyond which only a call for the standard errors works them out, and no summary."""


def weight_errors(run: Run, table: Dataset | None = None) -> "polars.DataFrame":
    """A row for each target and weight: the run's own, the optimum's, its standard errors and 95 % intervals.

    The columns are target, feature, trained, optimum, se, low, high, robust_se, robust_low, robust_high, in the units
    of the table; the robust ones (HC3) are null where a row decides a weight by itself. `table` holds the training
    rows where they are at hand; else they are read again. Raises UserError for a model or a loss that has none, and
    for a table that is gone or has changed.
    """
    import polars as pl

    model = run.model
    if model.weight is None or model.bias is None or model.classes is not None:
        raise UserError("standard errors: only linear models that predict numbers have them here")
    config = stored_config(run.folder)
    loss = build_loss(config)
    if not isinstance(loss, SQUARED) or penalized(loss):
        raise UserError("standard errors: only least squares has them here, loss=mse without l1 and l2")
    bias = assembly.has_bias(config)
    found = _of_rows(table, bias) if table is not None else _read_again(run, config, bias)
    best, reach, named = found.optimum, found.reach(), model.features + [INTERCEPT] * bias
    rows = []
    for t, target in enumerate(model.targets):
        ours, optimum = (*model.weight[t], model.bias[t]), (*best.weight[t], best.bias[t])
        for j, name in enumerate(named):
            row = [target, name, ours[j], optimum[j]]
            for errors in (found.classical, found.robust):
                se = None if errors is None else errors[t, j]
                row += [None] * 3 if se is None else [se, optimum[j] - reach * se, optimum[j] + reach * se]
            rows.append(row)
    kinds = {"target": pl.String, "feature": pl.String, "trained": pl.Float64, "optimum": pl.Float64}
    for kind in ("", "robust_"):
        kinds |= {f"{kind}{name}": pl.Float64 for name in ("se", "low", "high")}
    return pl.DataFrame(rows, kinds, orient="row")


def at_a_glance(run: Run, table: Dataset | None = None) -> "polars.DataFrame | str | None":
    """`weight_errors` where that is quick, or a line that says why there are none; None for models that have none."""
    model, rows = run.model, (run.result or {})["rows"].get("train", 0)
    if model.weight is None or model.classes is not None:
        return None
    if rows * len(model.features) > LARGEST:
        return f"standard errors: take a while with {rows} rows; standard_errors() of the run gives them"
    try:
        return weight_errors(run, table)
    except (UserError, Failure) as error:
        return str(error)


def _of_rows(table: Dataset, bias: bool) -> StandardErrors:
    squares = LeastSquares(bias)
    squares.add(table.x, table.y)
    return standard_errors(squares, zip(table.x.split(ROWS_AT_ONCE), table.y.split(ROWS_AT_ONCE), strict=True))


def _read_again(run: Run, config: Config, bias: bool) -> StandardErrors:
    cpu = torch.device("cpu")
    data = assembly.load(config, cpu, devices.precision(config.device.dtype))
    if data.digest() != run.data_hash:
        raise UserError(
            f"standard errors: {one_line(run.folder.name)} was trained on other rows than its table has now; "
            "experiments rerun trains on these"
        )
    return standard_errors(data.squares(bias), data.blocks())
