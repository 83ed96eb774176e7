"""The largest eigenvalue against the dense Hessian's, and 2 / lr against descent that is really done."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.func import functional_call

from experiments.config import schema as schema
from experiments.learning.experiment import Experiment
from experiments.running.assembly import assemble
from experiments.running.measures import sharpness as module
from experiments.running.measures.sharpness import largest_eigenvalue, sharpness
from tests.conftest import Configured


def dense(experiment: Experiment, l2: float) -> np.ndarray:
    """The Hessian's eigenvalues, from autograd's own Hessian."""
    model, data = experiment.model, experiment.data
    assert isinstance(model, torch.nn.Module)
    model.eval()
    named = {name: p.detach() for name, p in model.named_parameters()}
    sizes = [p.numel() for p in named.values()]

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = {name: part.view_as(p) for (name, p), part in zip(named.items(), flat.split(sizes), strict=True)}
        penalty = sum(p.square().sum() for p in parts.values() if p.ndim > 1)
        return experiment.loss(functional_call(model, parts, (data.x,)), data.y) + l2 * penalty

    flat = torch.cat([p.flatten() for p in named.values()])
    found: Any = torch.autograd.functional.hessian(loss, flat)
    return np.linalg.eigvalsh(found.numpy())


@pytest.mark.parametrize(
    "changes",
    [
        {"model": schema.MLP(hidden=[6], activation="tanh", dropout=0.3), "standardize": True},
        {"model": schema.MLP(hidden=[5, 4], activation="gelu"), "loss": schema.Huber(delta=0.5)},
        {"model": schema.MLP(hidden=[7]), "data": schema.Iris(), "loss": schema.CrossEntropy(l2=0.01)},
        {"model": schema.MLP(hidden=[4], activation="tanh"), "data": schema.Wine(), "standardize": "inputs",
         "loss": schema.CrossEntropy(weight=[1, 2, 3], label_smoothing=0.1)},
    ],
)  # fmt: skip
def test_it_is_the_largest_eigenvalue_of_the_dense_hessian(changes: dict[str, Any], configured: Configured) -> None:
    experiment = assemble(configured(dtype="float64", **changes))
    found, rows = sharpness(experiment)
    values = dense(experiment, getattr(experiment.loss, "l2", 0.0))
    assert found == pytest.approx(values[-1], rel=1e-4) and rows == experiment.data.rows
    single = assemble(configured(**changes))
    assert sharpness(single)[0] == pytest.approx(values[-1], rel=1e-3)


@pytest.mark.parametrize("model", [schema.Model(), schema.ManualModel(), schema.AnalyticModel()])
def test_of_squares_it_is_that_of_the_spectrum(model: Any, configured: Configured) -> None:
    experiment = assemble(configured(model=model, dtype="float64", loss=schema.MSE(l2=0.5)))
    expected = experiment.data.conditioning(True).lambda_max
    assert sharpness(experiment)[0] == pytest.approx(expected + 1.0, rel=1e-4)


def test_most_negative_is_not_largest() -> None:
    matrix = torch.diag(torch.tensor([-9.0, -1.0, 0.5, 2.0], dtype=torch.float64))
    assert largest_eigenvalue(lambda v: matrix @ v, 4) == pytest.approx(2.0, rel=1e-9)
    assert largest_eigenvalue(lambda v: -v, 3) == pytest.approx(-1.0)


def test_a_loss_without_curvature_has_none_and_many_rows_are_thinned(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sharpness(assemble(configured(loss=schema.L1())))[0] == 0
    monkeypatch.setattr(module, "MOST_ROWS", 5)
    assert sharpness(assemble(configured()))[1] == 5


@pytest.mark.parametrize(("share", "grows"), [(0.9, False), (1.1, True)])
def test_two_over_the_rate_is_the_edge(share: float, grows: bool, configured: Configured) -> None:
    """Close to a minimum, the loss of full-batch descent falls below the edge and rises above."""
    changes = {"model": schema.MLP(hidden=[3], activation="tanh"), "standardize": True, "dtype": "float64"}
    experiment = assemble(configured(**changes, loss=schema.MSE(l2=0.1)))
    model, data = experiment.model, experiment.data
    parameters = list(model.parameters())

    def descend(lr: float, steps: int) -> list[float]:
        losses = []
        for _ in range(steps):
            penalty = sum(p.square().sum() for p in parameters if p.ndim > 1)
            value = experiment.loss(model(data.x), data.y) + 0.1 * penalty
            slopes = torch.autograd.grad(value, parameters)
            with torch.no_grad():
                for p, slope in zip(parameters, slopes, strict=True):
                    p -= lr * slope
            losses.append(value.item())
        return losses

    descend(0.2, 5_000)
    with torch.no_grad():
        for p in parameters:
            p += 1e-6
    losses = descend(share * 2 / sharpness(experiment)[0], 60)
    assert (losses[-1] > losses[0]) == grows
