"""`experiments diagnose [OVERRIDES]`: conditioning and learning-rate diagnosis; nothing is trained or written."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from experiments.cli.commands.arguments import Parser
from experiments.config.composition import compose
from experiments.errors import UserError, harmless

if TYPE_CHECKING:  # both import torch, which a refused request should not wait for
    from experiments.data.prepared import Prepared
    from experiments.learning.experiment import Experiment


def main(arguments: Sequence[str]) -> int:
    """Print the diagnosis; exit status 0 whether or not the rate is stable."""
    if "--help" in arguments:
        parser = Parser("diagnose", description="Conditioning and learning-rate verdict for a run; nothing is trained.")
        parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="as for a run")
        parser.read(["--help"])
    config = compose(arguments)
    from experiments.running import assembly

    print("\n".join(map(harmless, lines(assembly.assemble(config)))))
    return 0


def lines(experiment: "Experiment") -> list[str]:
    """The diagnosis on an assembled experiment. Raises UserError for a loss without curvature."""
    from experiments.learning import models
    from experiments.learning.class_losses import CrossEntropy
    from experiments.learning.losses import L1, SQUARED, Huber

    loss, optimizer = experiment.loss, experiment.config.optimizer
    if isinstance(loss, L1):
        raise UserError("diagnose: loss=l1 has no curvature, so no rate follows from it; choose loss=huber or loss=mse")
    table = experiment.data.table
    targets = f"{len(table.classes)} classes" if table.classes else f"{len(table.targets)} targets"
    said = [
        f"table: {experiment.data.rows} rows, {len(table.features)} features, {targets}"
        + (", standardised" if experiment.data.standardized else "")
    ]
    if not models.is_linear(experiment.model) or not isinstance(loss, (*SQUARED, CrossEntropy, Huber)):
        said += _by_sharpness(experiment)
    else:
        said += _of_squares(experiment) if isinstance(loss, SQUARED) else _by_bound(experiment)
    if optimizer._target_.rpartition(".")[2] != "SGD" or optimizer.momentum:
        said.append("this diagnosis is on plain gradient descent; the optimizer chosen here obeys other limits")
    return said


def _of_squares(experiment: "Experiment") -> list[str]:
    """The diagnosis for linear models under squared losses, whose Hessian is the same everywhere."""
    from experiments.exact.dependence import notes
    from experiments.learning import models
    from experiments.running.diagnosis import best_lr, diagnosis, epochs_in_words, number
    from experiments.running.measures.reference import reference_solution

    data, lr, training = experiment.data, experiment.lr, experiment.config.training
    loss, model, weights = experiment.reported_loss, experiment.model, models.state(experiment.model)
    found = diagnosis(data, weights["weight"], weights.get("bias"), lr, training.batch_size, loss.l2)
    conditioning, features, has_bias = found.conditioning, len(data.table.features), model.bias is not None
    optimum = reference_solution(data, loss, bias=has_bias, linear=True).optimum
    said = [] if optimum is None else [f"smallest possible loss: {number(optimum.loss)}"]
    said += [
        f"condition number: {number(conditioning.condition_number)} "
        f"(largest eigenvalue of the Hessian {number(conditioning.lambda_max)})",
        f"largest stable learning rate of full-batch gradient descent: {number(conditioning.max_stable_lr)}",
    ]
    columns = features + has_bias
    if optimum is not None and not optimum.unique:  # of the table itself: float32 hides that a column is a sum
        said.append(f"the answer is not unique: {optimum.rank} of {columns} columns are independent")
        said += notes(data.squares(has_bias), data.table.features)
    if found.descent.converges:
        said.append(f"lr={number(lr)}: full-batch gradient descent converges")
    else:
        times = number(lr / conditioning.max_stable_lr)
        said.append(
            f"lr={number(lr)}: full-batch gradient descent diverges, the rate is {times} times the largest stable"
        )
    said += _on_batches(experiment, 1.0)
    if loss.l1:
        return [*said, "loss.l1 does not curve: the rates are those without it, and no epochs are foretold"]
    said.append(f"full-batch descent at lr={number(lr)}, from this start: {epochs_in_words(found.descent)}")
    if not data.standardized and not loss.l2:  # which would be a penalty of other weights
        scaled = found.standardized
        said.append(
            f"with data.standardize=true: condition number {number(scaled.condition_number)}, largest stable rate "
            f"{number(scaled.max_stable_lr)}; at lr={number(best_lr(scaled))} "
            f"{epochs_in_words(found.standardized_descent)}"
        )
    return said


def _by_bound(experiment: "Experiment") -> list[str]:
    """The diagnosis for linear models under losses whose curvature has a bound: cross entropy and Huber's."""
    from experiments.data.prepared import rescaled
    from experiments.running.diagnosis import number
    from experiments.running.measures.automatic_rate import largest_curvature
    from experiments.running.measures.reference import Reference, reference_solution

    data, loss, lr = experiment.data, experiment.reported_loss, experiment.lr
    has_bias, bend = experiment.model.bias is not None, largest_curvature(loss, data) or 1.0

    def known(data: "Prepared") -> tuple[Reference, str, float]:
        """The reference solution, the condition number in words ("" without one), the largest rate that is sure."""
        found = reference_solution(data, loss, bias=has_bias, linear=True)
        condition = (found.finite_conditioning or {}).get("condition_number")
        words = "" if condition is None else f"condition number at the optimum: {number(condition)}"
        if found.conditioning is not None:
            return found, words, found.conditioning.max_stable_lr
        steepest = data.conditioning(has_bias).lambda_max * bend + 2 * loss.l2
        return found, words, 2 / steepest if steepest > 0 else math.inf

    found, condition, stable = known(data)
    said = [*found.remarks] if found.optimum is None else [f"smallest possible loss: {number(found.optimum.loss)}"]
    said += [condition] * bool(condition)
    said.append(f"largest learning rate at which full-batch gradient descent is sure to fall: {number(stable)}")
    if lr < stable:
        said.append(f"lr={number(lr)}: full-batch gradient descent falls at every step")
    else:
        said.append(f"lr={number(lr)}: {number(lr / stable)} times that, so the loss may rise, or never come to rest")
    said += _on_batches(experiment, bend)
    if not data.standardized and not data.streamed:
        _, condition, stable = known(rescaled(data, "inputs"))
        said.append(
            f"with data.standardize=inputs: {condition + ', ' * bool(condition)}largest sure rate {number(stable)}"
        )
    return said


def _by_sharpness(experiment: "Experiment") -> list[str]:
    """The diagnosis for networks and losses of the user's own: the largest eigenvalue of the Hessian at the start."""
    from experiments.running.assembly import has_bias
    from experiments.running.diagnosis import number
    from experiments.running.measures.reference import reference_solution
    from experiments.running.measures.sharpness import sharpness

    data, lr = experiment.data, experiment.lr
    beside = reference_solution(data, experiment.reported_loss, bias=has_bias(experiment.config), linear=False)
    least = beside.falls_to if beside.optimum is None else beside.optimum.loss
    weights, (top, rows) = sum(p.numel() for p in experiment.model.parameters()), sharpness(experiment)
    where = f" (on {rows:,} of the rows)" if rows < data.rows else ""
    said = [] if least is None else [f"loss of the best linear model: {number(least)}"]
    said.append(
        f"sharpness where the {weights:,} weights start: {number(top)}, the largest eigenvalue of the Hessian{where}"
    )
    if top <= 0:
        return [*said, "no direction curves upwards there, so no rate follows from it"]
    edge = f"edge of stability: lr={number(lr)} holds while the sharpness is below 2/lr = {number(2 / lr)}"
    if lr * top < 2:
        return [*said, f"{edge}, as it is at the start; training may sharpen the loss up to that"]
    return [*said, f"{edge}; at the start it is above: begin with a rate below 2/sharpness = {number(2 / top)}"]


def _on_batches(experiment: "Experiment", bend: float) -> list[str]:
    """What a batch can do to a rate; `bend` is how much the loss curves at most, as a share of squares."""
    from experiments.running.diagnosis import number

    data, lr, size = experiment.data, experiment.lr, experiment.config.training.batch_size
    if size is None or size >= data.rows:
        return []
    batch = data.stability(size, experiment.model.bias is not None)
    steepest = batch.lambda_max * bend + 2 * experiment.loss.l2
    stable = 2 / steepest if steepest > 0 else math.inf
    kind = "exactly" if batch.exact and bend == 1 else "as a proven bound"
    word = "certainly stable" if lr < stable else "not certain to be stable"
    return [
        f"batches of {size}: a batch can be as steep as {number(steepest)} ({kind}), "
        f"so every rate below {number(stable)} is stable; lr={number(lr)} is {word}",
        "a constant rate on batches ends near the optimum, not at it: lower the rate with a schedule",
    ]
