"""fit against the tutorial's own loop, its patience, its divergence, and going on from where it stood."""

import copy
import dataclasses
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from experiments.config import schema as schema
from experiments.config.schema import Config
from experiments.learning.evaluation import Evaluation, evaluator
from experiments.learning.experiment import Experiment
from experiments.learning.models import state
from experiments.learning.training import Progress, fit, set_lr
from experiments.running.assembly import assemble
from tests.conftest import Configured


def train(experiment: Experiment, progress: Progress | None = None) -> list[Evaluation | None]:
    return list(fit(experiment, progress or Progress()))


def weights(experiment: Experiment) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in state(experiment.model).items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


class TutorialOrder:
    """The run's batch order as a DataLoader's sampler, from a generator at the same place."""

    def __init__(self, rows: int, generator: torch.Generator) -> None:
        self.rows, self.generator = rows, generator

    def __len__(self) -> int:
        return self.rows

    def __iter__(self) -> Any:
        return iter(torch.argsort(torch.rand(self.rows, generator=self.generator), stable=True).tolist())


@pytest.mark.parametrize("loader", ["tensor", "torch"])
def test_fit_is_the_tutorials_loop_bit_for_bit(configured: Configured, loader: str) -> None:
    experiment = assemble(configured(epochs=20, seed=11, loader=loader))
    model = torch.nn.Linear(3, 2)
    model.load_state_dict(weights(experiment))
    generator = torch.Generator()
    generator.set_state(experiment.generator.get_state())
    x, y = experiment.data.x.clone(), experiment.data.y.clone()
    batches: Any = DataLoader(TensorDataset(x, y), batch_size=5, sampler=TutorialOrder(15, generator))
    opt = torch.optim.SGD(model.parameters(), lr=1e-5)
    losses = []
    for _ in range(20):
        for xb, yb in batches:
            loss = F.mse_loss(model(xb), yb)
            loss.backward()
            opt.step()
            opt.zero_grad()
        losses.append(F.mse_loss(model(x), y).item())

    evaluations = train(experiment)
    assert [evaluation.train_loss for evaluation in evaluations if evaluation] == losses
    assert same(weights(experiment), dict(model.state_dict()))
    assert [evaluation.epoch for evaluation in evaluations if evaluation] == list(range(1, 21))
    assert [evaluation.step for evaluation in evaluations if evaluation] == list(range(3, 61, 3))


def test_from_scratch_loop_of_the_tutorial(configured: Configured) -> None:
    config = configured(
        model=schema.ManualModel(), optimizer=schema.ManualSGD(), loss=schema.ManualMSE(), data=schema.CropsSmall(),
        init="normal", epochs=50, batch_size=None,
    )  # fmt: skip
    experiment = assemble(config)
    w, b = (t.clone().requires_grad_() for t in weights(experiment).values())
    x, y = experiment.data.x, experiment.data.y
    for _ in range(50):
        diff = x @ w.t() + b - y
        (torch.sum(diff * diff) / diff.numel()).backward()
        with torch.no_grad():
            assert w.grad is not None and b.grad is not None
            w -= w.grad * 1e-5
            b -= b.grad * 1e-5
            w.grad = b.grad = None
    train(experiment)
    torch.testing.assert_close(weights(experiment)["weight"], w.detach(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(weights(experiment)["bias"], b.detach(), rtol=1e-6, atol=1e-7)


def test_manual_analytic_and_linear_agree_from_the_same_bits(configured: Configured) -> None:
    ends = []
    for model in (schema.Model(), schema.ManualModel(), schema.AnalyticModel()):
        for optimizer in (schema.SGD(lr=5e-5), schema.ManualSGD(lr=5e-5)):
            experiment = assemble(configured(model=model, optimizer=optimizer, epochs=30, dtype="float64"))
            if ends:
                assert same(weights(experiment), ends[0][0])
            start = weights(experiment)
            train(experiment)
            ends.append((start, weights(experiment)))
    for _, end in ends[1:]:
        torch.testing.assert_close(end["weight"], ends[0][1]["weight"], rtol=1e-12, atol=1e-13)
        torch.testing.assert_close(end["bias"], ends[0][1]["bias"], rtol=1e-12, atol=1e-13)


def test_a_schedule_sets_the_rate_of_every_epoch_for_both_kinds_of_optimizer(configured: Configured) -> None:
    for optimizer in (schema.SGD(lr=1e-5), schema.ManualSGD(lr=1e-5)):
        schedule = schema.Step(step_size=2, gamma=0.5)
        evaluations = train(assemble(configured(optimizer=optimizer, schedule=schedule, epochs=5)))
        assert [evaluation.lr for evaluation in evaluations if evaluation] == [1e-5, 1e-5, 5e-6, 5e-6, 2.5e-6]


def test_looks_come_where_they_are_logged_and_at_the_end(configured: Configured) -> None:
    evaluations = train(assemble(configured(epochs=10, log_every=4)))
    assert [evaluation.epoch if evaluation else None for evaluation in evaluations] == [None] * 3 + [4] + [None] * 3 + [
        8,
        None,
        10,
    ]


def test_no_epochs_is_one_look_at_the_start(configured: Configured) -> None:
    experiment, progress = assemble(configured(epochs=0)), Progress()
    expected = evaluator(experiment)()
    [evaluation] = train(experiment, progress)
    assert evaluation == Evaluation(0, 0, 1e-5, *expected)
    assert progress.status == "completed" and progress.step == 0


def test_losses_are_over_all_rows_after_the_epoch_in_the_tables_units(configured: Configured) -> None:
    experiment = assemble(configured(epochs=3, validation=0.2, standardize=True, lr=0.1, dtype="float64"))
    last = train(experiment)[-1]
    assert last is not None
    for rows, loss in ((experiment.data.table, last.train_loss), (experiment.data.held_out, last.validation_loss)):
        assert rows is not None
        assert loss == pytest.approx((experiment.predict(rows.x) - rows.y).square().mean().item(), rel=1e-12)


def shorter(epochs: int) -> schema.Training:
    return schema.Training(epochs=epochs, batch_size=1)


def patient(configured: Configured, **changes: Any) -> Config:
    """Overshoots at once: batches of one at a rate far too large for some, so the loss jumps up and down."""
    return configured(epochs=200, batch_size=1, lr=9e-5, validation=0.2, **changes)


def test_patience_counts_looks_keeps_the_best_and_stops(configured: Configured) -> None:
    experiment, progress = assemble(patient(configured, patience=3)), Progress()
    evaluations = [evaluation for evaluation in train(experiment, progress) if evaluation]
    assert progress.status == "stopped_early" and len(evaluations) < 200
    losses = [evaluation.validation_loss or math.inf for evaluation in evaluations]
    best = losses.index(min(losses))
    assert progress.best_epoch == evaluations[best].epoch and progress.best_loss == losses[best]
    assert len(evaluations) - 1 - best == 3
    again = assemble(dataclasses.replace(patient(configured), training=shorter(progress.best_epoch)))
    train(again)
    assert progress.best is not None
    assert same(progress.best, weights(again))


def test_the_best_weights_are_kept_without_patience_where_that_is_asked_for(configured: Configured) -> None:
    experiment, progress = assemble(patient(configured, keep="best")), Progress()
    losses = [e.validation_loss or math.inf for e in train(experiment, progress) if e]
    assert progress.status == "completed" and progress.best_epoch == 1 + losses.index(min(losses)) < 200
    again = assemble(dataclasses.replace(patient(configured), training=shorter(progress.best_epoch)))
    train(again)
    assert progress.best is not None and same(progress.best, weights(again))
    train(last := assemble(patient(configured)), other := Progress())
    assert other.best is None and same(weights(last), weights(experiment))


def test_without_validation_patience_watches_the_training_loss(configured: Configured) -> None:
    progress = Progress()
    evaluations = train(assemble(configured(epochs=400, batch_size=1, lr=9e-5, patience=2)), progress)
    losses = [evaluation.train_loss for evaluation in evaluations if evaluation]
    assert progress.status == "stopped_early"
    assert min(losses) == progress.best_loss and losses.index(min(losses)) == len(losses) - 3


def test_a_loss_that_is_not_finite_ends_the_run_at_the_look(configured: Configured) -> None:
    progress = Progress()
    evaluations = train(assemble(configured(lr=1.0, log_every=7)), progress)
    assert progress.status == "diverged" and progress.epoch == 7 == len(evaluations)
    assert evaluations[-1] is not None and not math.isfinite(evaluations[-1].train_loss)


@pytest.mark.parametrize("stop_after", [1, 3, 4, 7])
@pytest.mark.parametrize("optimizer", [schema.ManualSGD(lr=1e-5, momentum=0.9), schema.ManualAdam(lr=0.1)])
def test_an_interrupted_run_goes_on_to_the_same_bits(configured: Configured, stop_after: int, optimizer: Any) -> None:
    """Stopped within an epoch and at its end, then continued from Progress in a fresh process's objects."""
    config = configured(model=schema.ManualModel(), optimizer=optimizer, epochs=5)
    whole = assemble(config)
    expected = train(whole)

    first, progress = assemble(config), Progress()
    original, count = first.optimizer.step, 0

    def step() -> None:
        nonlocal count
        original()
        count += 1
        if count == stop_after:
            progress.stop = "interrupted"

    first.optimizer.step = step
    evaluations = train(first, progress)
    assert progress.status == "running"
    assert progress.step + progress.batch == stop_after

    second, later = assemble(config), copy.deepcopy(progress)
    for name, tensor in state(second.model).items():
        tensor.copy_(weights(first)[name])
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert later.drawn is not None
    second.generator.set_state(later.drawn)
    later.stop = None
    evaluations += train(second, later)
    assert evaluations == expected
    assert same(weights(second), weights(whole))
    assert later.status == "completed" and later.step == 15


def test_the_time_limit_stops_after_a_step_with_a_last_look(configured: Configured) -> None:
    experiment, progress = assemble(configured(epochs=50, log_every=10)), Progress()
    run = fit(experiment, progress)
    assert next(run) is None
    progress.stop = "max_seconds"
    evaluation = next(run)
    assert evaluation is not None and evaluation.epoch == 2 and evaluation.step == 4
    assert list(run) == [] and progress.status == "stopped_early"


def test_set_lr_reaches_every_group_of_torchs_optimizers() -> None:
    a, b = torch.nn.Parameter(torch.zeros(1)), torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [a]}, {"params": [b], "lr": 3.0}], lr=1.0)
    set_lr(optimizer, 0.5)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.5]
