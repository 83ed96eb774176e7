"""`experiments diagnose [OVERRIDES]`: conditioning and learning-rate diagnosis; nothing is trained or written."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.config.composition import compose
from experiments.errors import UserError, harmless
from experiments.stored.lookup import with_folders

if TYPE_CHECKING:  # assembly imports torch, which a refused request should not wait for
    from experiments.learning.experiment import Experiment


def main(arguments: Sequence[str]) -> int:
    """Print the diagnosis; exit status 0 whether or not the rate is stable."""
    config = compose(with_folders(arguments))
    from experiments.learning import models
    from experiments.learning.losses import MSE, ManualMSE
    from experiments.running import assembly

    experiment = assembly.assemble(config)
    if not models.is_linear(experiment.model) or not isinstance(experiment.loss, MSE | ManualMSE):
        raise UserError(
            "diagnose: the spectrum of the loss is known for linear models under loss=mse only; "
            "choose model=linear, manual or analytic and loss=mse or manual_mse"
        )
    print("\n".join(map(harmless, lines(experiment))))
    return 0


def lines(experiment: "Experiment") -> list[str]:
    """The diagnosis on an assembled experiment."""
    from experiments.exact.dependence import notes
    from experiments.learning import models
    from experiments.running.diagnosis import best_lr, diagnosis, epochs_in_words, number

    data, lr, training = experiment.data, experiment.lr, experiment.config.training
    model, weights = experiment.model, models.state(experiment.model)
    found = diagnosis(data, weights["weight"], weights.get("bias"), lr, training.batch_size)
    conditioning, batch = found.conditioning, found.batch
    rows, features, has_bias = data.rows, len(data.table.features), model.bias is not None
    optimum = data.optimum(has_bias)
    said = [
        f"table: {rows} rows, {features} features, {data.y.shape[1]} targets"
        + (", standardised" if data.standardized else ""),
        f"smallest possible loss: {number(optimum.loss)}",
        f"condition number: {number(conditioning.condition_number)} "
        f"(largest eigenvalue of the Hessian {number(conditioning.lambda_max)})",
        f"largest stable learning rate of full-batch gradient descent: {number(conditioning.max_stable_lr)}",
    ]
    columns = features + has_bias
    if optimum.rank < columns:  # of the table itself: float32 hides that a column is the sum of others
        said.append(f"the answer is not unique: {optimum.rank} of {columns} columns are independent")
        said += notes(data.squares(has_bias), data.table.features)
    if found.descent.converges:
        said.append(f"lr={number(lr)}: full-batch gradient descent converges")
    else:
        times = number(lr / conditioning.max_stable_lr)
        said.append(
            f"lr={number(lr)}: full-batch gradient descent diverges, the rate is {times} times the largest stable"
        )
    if training.batch_size is not None and training.batch_size < rows:
        kind = "exactly" if batch.exact else "as a proven bound"
        word = "certainly stable" if batch.stable(lr) else "not certain to be stable"
        said.append(
            f"batches of {training.batch_size}: a batch can be as steep as {number(batch.lambda_max)} ({kind}), "
            f"so every rate below {number(batch.max_stable_lr)} is stable; lr={number(lr)} is {word}"
        )
        said.append("a constant rate on batches ends near the optimum, not at it: lower the rate with a schedule")
    said.append(f"full-batch descent at lr={number(lr)}, from this start: {epochs_in_words(found.descent)}")
    if not data.standardized:
        scaled = found.standardized
        said.append(
            f"with data.standardize=true: condition number {number(scaled.condition_number)}, largest stable rate "
            f"{number(scaled.max_stable_lr)}; at lr={number(best_lr(scaled))} "
            f"{epochs_in_words(found.standardized_descent)}"
        )
    if experiment.config.optimizer._target_.rpartition(".")[2] != "SGD" or experiment.config.optimizer.momentum:
        said.append("this diagnosis is on plain gradient descent; the optimizer chosen here obeys other limits")
    return said
