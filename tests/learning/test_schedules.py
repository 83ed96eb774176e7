"""The schedules against torch.optim.lr_scheduler's, and per-run tensors against numbers."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler

from experiments.errors import UserError
from experiments.learning import schedules
from experiments.learning.schedules import Constant, Cosine, InverseTime, Step, Warmup

LR = 0.3
EPOCHS = 60
quick = settings(deadline=None, max_examples=25)


def torchs(build: Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler], epochs: int = EPOCHS) -> list[float]:
    """The learning rate that torch's scheduler gives for each epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=LR)
    scheduler = build(optimizer)
    rates = []
    for _ in range(epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


def ours(schedule: Callable[[int], Any], epochs: int = EPOCHS) -> list[float]:
    return [LR * schedule(epoch) for epoch in range(epochs)]


def test_constant() -> None:
    assert ours(Constant()) == [LR] * EPOCHS


@quick
@given(step_size=st.integers(1, 40), gamma=st.floats(0.01, 1.5))
def test_step_is_steplr(step_size: int, gamma: float) -> None:
    theirs = torchs(lambda optimizer: lr_scheduler.StepLR(optimizer, step_size, gamma))
    assert ours(Step(step_size, gamma)) == pytest.approx(theirs, rel=1e-12)


@quick
@given(epochs=st.integers(1, EPOCHS), minimum=st.floats(0, 1))
def test_cosine_is_cosineannealinglr_up_to_its_end_and_held_there(epochs: int, minimum: float) -> None:
    theirs = torchs(lambda optimizer: lr_scheduler.CosineAnnealingLR(optimizer, epochs, minimum * LR), epochs + 1)
    rates = ours(Cosine(epochs, minimum), EPOCHS + 1)
    # Near its end torch's recursion divides numbers that are next to zero, hence the absolute part.
    assert rates[: epochs + 1] == pytest.approx(theirs, rel=1e-10, abs=1e-14)
    assert rates[epochs:] == pytest.approx([minimum * LR] * (EPOCHS + 1 - epochs), abs=1e-15)


@quick
@given(decay=st.floats(0, 10))
def test_inverse_time_is_lambdalr(decay: float) -> None:
    theirs = torchs(lambda optimizer: lr_scheduler.LambdaLR(optimizer, lambda epoch: 1 / (1 + decay * epoch)))
    assert ours(InverseTime(decay)) == pytest.approx(theirs, rel=1e-15)


@quick
@given(epochs=st.integers(1, EPOCHS), start=st.floats(0.001, 1))
def test_warmup_is_linearlr(epochs: int, start: float) -> None:
    theirs = torchs(lambda optimizer: lr_scheduler.LinearLR(optimizer, start, 1.0, epochs))
    assert ours(Warmup(epochs, start)) == pytest.approx(theirs, rel=1e-12)


def test_points_computed_by_hand() -> None:
    assert [Step()(epoch) for epoch in (29, 30, 60)] == pytest.approx([1, 0.1, 0.01])
    assert [Cosine(100)(50), Cosine(100, 0.2)(50)] == pytest.approx([0.5, 0.6])
    assert InverseTime(0.01)(100) == 0.5
    assert [Warmup()(epoch) for epoch in (0, 5, 10)] == pytest.approx([0.1, 0.55, 1])


def test_a_factor_too_large_for_a_float_is_infinite() -> None:
    assert schedules.factor(Step(1, 10.0), 400) == math.inf


@pytest.mark.parametrize(
    ("build", "name"),
    [
        (lambda: Step(step_size=0), "step_size=0"),
        (lambda: Step(gamma=-0.1), "gamma=-0.1"),
        (lambda: Step(gamma=math.nan), "gamma=nan"),
        (lambda: Cosine(epochs=0), "epochs=0"),
        (lambda: Cosine(epochs=10, minimum=1.5), "minimum=1.5"),
        (lambda: InverseTime(decay=-1), "decay=-1"),
        (lambda: Warmup(epochs=0), "epochs=0"),
        (lambda: Warmup(start=0.0), "start=0.0"),
        (lambda: Warmup(start=1.5), "start=1.5"),
    ],
)
def test_values_out_of_range_are_refused_by_name(build: Callable[[], object], name: str) -> None:
    with pytest.raises(UserError, match="schedule." + name):
        build()


def test_the_rate_of_an_epoch_is_never_more_than_float32_holds_for_one_run_and_for_many() -> None:
    growing = schedules.Step(1, 1e30)
    assert [float(schedules.scheduled_lr(0.5, schedules.factor(growing, e))) for e in (0, 1, 2, 20)] == [
        0.5, 5e29, 1e38, 1e38,
    ]  # fmt: skip
    many = schedules.scheduled_lr(np.array([0.5, 2.0]), np.array([1e38, schedules.factor(growing, 20)]))
    assert many.tolist() == [5e37, 1e38]


def test_a_schedule_may_give_a_tensor_or_a_number_too_large() -> None:
    assert schedules.factor(lambda epoch: torch.tensor(0.25 * epoch), 3) == 0.75
    assert schedules.factor(lambda epoch: 10**epoch, 400) == math.inf
