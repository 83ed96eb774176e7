"""The update rules against torch.optim's, stacks against single runs, and the optimizer's own face."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import experiments.learning.optimizers
from experiments.errors import UserError
from experiments.learning.optimizers import SGD, Adagrad, Adam, AdamW, ManualOptimizer, RMSprop, Rule

STEPS = 200
TOLERANCE = 1e-12  # relative to the parameter, and absolute, in float64
RULES: list[type[Rule]] = [SGD, Adam, AdamW, RMSprop, Adagrad]

zero_or = st.just(0.0) | st.floats(1e-4, 0.2)
momenta = st.just(0.0) | st.floats(0.05, 0.95)
betas = st.tuples(st.floats(0, 0.99), st.floats(0.5, 0.9999))
HYPER: dict[type[Rule], st.SearchStrategy[dict[str, Any]]] = {
    SGD: st.fixed_dictionaries({"momentum": momenta, "dampening": momenta, "weight_decay": zero_or})
    | st.fixed_dictionaries({"momentum": st.floats(0.05, 0.95), "weight_decay": zero_or, "nesterov": st.just(True)}),
    Adam: st.fixed_dictionaries({"betas": betas, "weight_decay": zero_or, "amsgrad": st.booleans()}),
    AdamW: st.fixed_dictionaries({"betas": betas, "weight_decay": zero_or, "amsgrad": st.booleans()}),
    RMSprop: st.fixed_dictionaries(
        {
            "alpha": st.floats(0.5, 0.999),
            "weight_decay": zero_or,
            "momentum": momenta,
            "centered": st.booleans(),
        }
    ),
    Adagrad: st.fixed_dictionaries(
        {"lr_decay": zero_or, "weight_decay": zero_or, "initial_accumulator_value": zero_or}
    ),
}


def start(seed: int) -> list[Tensor]:
    """A weight (2, 3) and a bias (2,)."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in ((2, 3), (2,))]


def targets_of(seed: int) -> list[Tensor]:
    """A random point per step for each parameter, (STEPS, 2, 3) and (STEPS, 2): the loss is a bowl around it.

    The point moves so that gradients never shrink to rounding errors, which adaptive rules would blow up to
    the size of a step.
    """
    generator = torch.Generator().manual_seed(1000 + seed)
    return [torch.randn((STEPS, *shape), generator=generator, dtype=torch.float64) for shape in ((2, 3), (2,))]


def train(build: Callable[[list[Tensor]], Any], seed: int, steps: int = STEPS) -> list[Tensor]:
    """The parameters after some steps of an optimizer, ours or torch's."""
    parameters = [p.requires_grad_() for p in start(seed)]
    targets = targets_of(seed)
    optimizer = build(parameters)
    for step in range(steps):
        optimizer.zero_grad()
        for parameter, target in zip(parameters, targets, strict=True):
            parameter.grad = parameter.detach() - target[step]
        optimizer.step()
    return [p.detach() for p in parameters]


@pytest.mark.parametrize("rule", RULES)
@settings(deadline=None, max_examples=25)
@given(data=st.data(), seed=st.integers(0, 10**6), lr=st.floats(1e-4, 0.05))
def test_200_steps_equal_torch_optims(rule: type[Rule], data: st.DataObject, seed: int, lr: float) -> None:
    hyper = data.draw(HYPER[rule])
    reference = getattr(torch.optim, rule.__name__)
    expected = train(lambda parameters: reference(parameters, lr=lr, foreach=False, **hyper), seed)
    actual = train(lambda parameters: ManualOptimizer(parameters, rule(**hyper), lr), seed)
    for ours, theirs in zip(actual, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("rule", RULES)
def test_defaults_are_torch_optims(rule: type[Rule]) -> None:
    theirs = getattr(torch.optim, rule.__name__)([torch.zeros(1)]).defaults
    for name, value in vars(rule()).items():
        assert theirs[name] == value, name


def per_run(*values: float, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.tensor(values, dtype=dtype).reshape(-1, 1, 1)


# One column is one run. Zeros stand next to other values, also at first and also all in one run.
STACKS: list[tuple[type[Rule], dict[str, tuple[float, ...]], dict[str, bool]]] = [
    (
        SGD,
        {"momentum": (0, 0.9, 0, 0.5), "dampening": (0.3, 0.3, 0, 0), "weight_decay": (0, 0.1, 0.2, 0)},
        {},
    ),
    (SGD, {"momentum": (0.9, 0.5, 0.1, 0.8), "weight_decay": (0, 0.1, 0.2, 0)}, {"nesterov": True}),
    (SGD, {"weight_decay": (0, 0.1, 0.2, 0)}, {}),
    (SGD, {}, {}),
    *[
        (
            rule,
            {
                "beta1": (0, 0.9, 0.5, 0.8),
                "beta2": (0.999, 0.5, 0.99, 0),
                "eps": (1e-8, 1e-3, 0.1, 1e-6),
                "weight_decay": (0, 0.1, 0.2, 0),
            },
            {"amsgrad": amsgrad},
        )
        for rule in (Adam, AdamW)
        for amsgrad in (False, True)
    ],
    *[
        (
            RMSprop,
            {
                "alpha": (0.9, 0.99, 0.5, 0.8),
                "eps": (1e-8, 1e-3, 0.1, 1e-6),
                "weight_decay": (0, 0.1, 0.2, 0),
                "momentum": (0, 0.9, 0, 0.5),
            },
            {"centered": centered},
        )
        for centered in (False, True)
    ],
    (
        Adagrad,
        {
            "lr_decay": (0, 0.1, 0.2, 0),
            "weight_decay": (0.1, 0, 0, 0),
            "initial_accumulator_value": (0, 0.1, 0, 2),
            "eps": (1e-10, 1e-3, 0.1, 1e-6),
        },
        {},
    ),
]
LRS = (0.05, 0.01, 0.001, 0.02)


def build(rule: type[Rule], hyper: dict[str, Any], booleans: dict[str, bool]) -> Rule:
    """A rule from one flat row of hyper-parameters."""
    hyper = dict(hyper)
    if "beta1" in hyper:
        hyper["betas"] = (hyper.pop("beta1"), hyper.pop("beta2"))
    return rule(**hyper, **booleans)


@pytest.mark.parametrize(("rule", "hyper", "booleans"), STACKS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, TOLERANCE), (torch.float32, 1e-5)])
def test_a_stack_equals_its_runs_one_by_one(
    rule: type[Rule],
    hyper: dict[str, tuple[float, ...]],
    booleans: dict[str, bool],
    dtype: torch.dtype,
    tolerance: float,
) -> None:
    runs = len(LRS)
    stacked_rule = build(rule, {name: per_run(*values) for name, values in hyper.items()}, booleans)
    rules = [build(rule, {name: values[run] for name, values in hyper.items()}, booleans) for run in range(runs)]
    stack = torch.stack([start(run)[0] for run in range(runs)]).to(dtype)
    parameters = list(stack.clone())
    stack_state = stacked_rule.start(stack)
    states = [rules[run].start(parameters[run]) for run in range(runs)]
    for step in range(1, 51):
        noise = torch.randn(stack.shape, generator=torch.Generator().manual_seed(step), dtype=dtype)
        update = stacked_rule.update(stack, stack - noise, stack_state, step, per_run(*LRS))
        assert update.dtype == dtype
        stack = stack - update
        for run in range(runs):
            parameter = parameters[run]
            parameters[run] = parameter - rules[run].update(
                parameter, parameter - noise[run], states[run], step, LRS[run]
            )
    torch.testing.assert_close(stack, torch.stack(parameters), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("rule", "hyper", "booleans"), STACKS)
def test_a_diverged_run_leaves_its_neighbours_bits_alone(
    rule: type[Rule], hyper: dict[str, tuple[float, ...]], booleans: dict[str, bool]
) -> None:
    stacked = build(rule, {name: per_run(*values) for name, values in hyper.items()}, booleans)

    def final(broken: bool) -> Tensor:
        stack = torch.stack([start(run)[0] for run in range(len(LRS))])
        if broken:
            stack[1] = torch.inf
        state = stacked.start(stack)
        for step in range(1, 6):
            stack = stack - stacked.update(stack, 2 * stack, state, step, per_run(*LRS))
        return stack

    healthy = [0, 2, 3]
    assert torch.equal(final(broken=True)[healthy], final(broken=False)[healthy])


VARIANTS = [
    SGD(),
    SGD(momentum=0.9, dampening=0.1, weight_decay=0.01),
    SGD(momentum=0.9, nesterov=True),
    Adam(amsgrad=True),
    AdamW(),
    RMSprop(momentum=0.9, centered=True),
    Adagrad(initial_accumulator_value=0.1),
]


@pytest.mark.parametrize("rule", VARIANTS, ids=str)
def test_going_on_from_a_state_dict_gives_identical_bits(rule: Rule) -> None:
    unbroken = train(lambda parameters: ManualOptimizer(parameters, rule, 0.01), seed=5, steps=20)

    parameters = before = start(5)
    targets = targets_of(5)
    optimizer = ManualOptimizer(parameters, rule, 0.01)
    for step in range(20):
        if step == 7:
            stored = optimizer.state_dict()
            kept = {name: tensor.clone() for name, tensor in stored.items()}
            optimizer.step()  # a step that is lost; the stored copy must not move with it
            assert all(torch.equal(stored[name], kept[name]) for name in kept)
            parameters = [p.clone() for p in before]
            optimizer = ManualOptimizer(parameters, rule, 0.01)
            optimizer.load_state_dict(stored)
            assert stored["step"].tolist() == [7, 7]
        for parameter, target in zip(parameters, targets, strict=True):
            parameter.grad = parameter - target[step]
        optimizer.step()
        before = [p.clone() for p in parameters]
    assert all(torch.equal(a, b) for a, b in zip(before, unbroken, strict=True))


def test_a_state_of_another_rule_or_shape_is_refused_and_changes_nothing() -> None:
    optimizer = ManualOptimizer(start(0), Adam(), 0.1)
    before = optimizer.state_dict()
    for other in (ManualOptimizer(start(0), Adagrad(), 0.1), ManualOptimizer(start(0)[:1], Adam(), 0.1)):
        with pytest.raises(UserError, match="does not fit"):
            optimizer.load_state_dict(other.state_dict())
    assert all(torch.equal(before[name], tensor) for name, tensor in optimizer.state_dict().items())


@pytest.mark.parametrize("rule", [SGD(), SGD(momentum=0.9), Adam()], ids=str)
def test_a_parameter_without_gradient_waits_as_in_torch(rule: Rule) -> None:
    def bias_after(build: Callable[[list[Tensor]], Any]) -> Tensor:
        weight, bias = (p.requires_grad_() for p in start(1))
        optimizer = build([weight, bias])
        for step in range(6):
            optimizer.zero_grad()
            assert weight.grad is None
            weight.grad = torch.ones_like(weight)
            if step % 2:
                bias.grad = bias.detach() + step
            optimizer.step()
        return bias.detach()

    reference = getattr(torch.optim, type(rule).__name__)
    expected = bias_after(lambda parameters: reference(parameters, lr=0.1, **vars(rule)))
    actual = bias_after(lambda parameters: ManualOptimizer(parameters, rule, 0.1))
    torch.testing.assert_close(actual, expected, rtol=TOLERANCE, atol=TOLERANCE)


@pytest.mark.parametrize("rule", VARIANTS, ids=str)
def test_the_learning_rate_is_read_at_every_step(rule: Rule) -> None:
    parameters = start(2)
    optimizer = ManualOptimizer(parameters, rule, 0.1)
    for parameter in parameters:
        parameter.grad = torch.ones_like(parameter)
    before = parameters[0].clone()
    optimizer.lr = 0.0
    optimizer.step()
    assert torch.equal(parameters[0], before)
    optimizer.lr = 0.1
    optimizer.step()
    assert not torch.equal(parameters[0], before)


def test_plain_sgd_is_the_tutorials_line() -> None:
    weight = torch.tensor([[1.0, 2.0]], requires_grad=True)
    (3 * weight).sum().backward()
    ManualOptimizer([weight], SGD(), lr=0.5).step()
    assert weight.tolist() == [[-0.5, 0.5]]
    assert weight.requires_grad
    assert weight.is_leaf


def test_no_optimizer_of_ours_imports_dynamo() -> None:
    program = """
import sys, torch
from experiments.learning.optimizers import SGD, Adagrad, Adam, AdamW, ManualOptimizer, RMSprop
for rule in (SGD(), SGD(momentum=0.9), Adam(), AdamW(), RMSprop(), Adagrad()):
    weight = torch.ones(2, 3, requires_grad=True)
    optimizer = ManualOptimizer([weight], rule, lr=0.1)
    optimizer.zero_grad()
    (weight * weight).sum().backward()
    optimizer.step()
    optimizer.load_state_dict(optimizer.state_dict())
assert "torch._dynamo" not in sys.modules
"""
    source = Path(experiments.learning.optimizers.__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(source)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SGD(momentum=-0.1), r"optimizer\.momentum=-0\.1"),
        (lambda: SGD(weight_decay=float("nan")), r"optimizer\.weight_decay=nan"),
        (lambda: SGD(momentum=per_run(0.9, -1)), r"optimizer\.momentum="),
        (lambda: SGD(nesterov=True), "needs a momentum above 0"),
        (lambda: SGD(momentum=0.9, dampening=0.1, nesterov=True), "no dampening"),
        (lambda: SGD(momentum=per_run(0.9, 0), nesterov=True), "needs a momentum above 0"),
        (lambda: Adam(betas=(0.9, 1.0)), r"optimizer\.betas=1\.0"),
        (lambda: Adam(betas=(0.9,)), "two numbers"),  # pyright: ignore[reportArgumentType]
        (lambda: AdamW(eps=-1e-8), r"optimizer\.eps=-1e-08"),
        (lambda: RMSprop(alpha=1.0), r"optimizer\.alpha=1\.0"),
        (lambda: Adagrad(lr_decay=-1), r"optimizer\.lr_decay=-1"),
        (lambda: ManualOptimizer([], SGD(), 0.1), "no parameters"),
        (lambda: ManualOptimizer([torch.zeros(1)], SGD(), -0.1), r"optimizer\.lr=-0\.1"),
    ],
)
def test_mistakes_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make()
