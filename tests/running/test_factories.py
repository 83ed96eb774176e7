"""A node of the config to its object: which keys the class is given, and what is refused before a run begins."""

from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config import schema as schema
from experiments.config.schema import Custom
from experiments.errors import UserError
from experiments.running.assembly import assemble
from experiments.running.factories import build_loss, build_schedule, own_options
from tests.conftest import Configured

THEIRS = """
from torch import nn
from experiments.learning.models import Analytic
class Own(Analytic):
    pass
class Net(nn.Linear):
    def __init__(self, in_features, out_features, bias=True, width=3):
        super().__init__(in_features, out_features, bias)
class Words(nn.Module):
    def forward(self, prediction, target):
        return "none"
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "their_parts.py").write_text(THEIRS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", "their_parts")
    return "their_parts"


def test_cosine_goes_down_over_the_whole_run_unless_told(configured: Configured) -> None:
    assert build_schedule(configured(schedule=schema.Cosine(), epochs=8))(8) == pytest.approx(0)
    assert build_schedule(configured(schedule=schema.Cosine(), epochs=8))(4) == pytest.approx(0.5)
    assert build_schedule(configured(schedule=schema.Cosine(epochs=16), epochs=8))(8) == pytest.approx(0.5)
    assert build_schedule(configured(schedule=schema.Cosine(), epochs=0))(0) == 1


@pytest.mark.usefixtures("theirs")
def test_a_loss_of_ones_own_takes_no_key_of_the_loss_it_replaces(configured: Configured) -> None:
    build_loss(configured(loss=Custom("their_parts.Words", {"l1": 0.0, "l2": 0.0})))
    with pytest.raises(UserError, match="l2"):
        build_loss(configured(loss=Custom("their_parts.Words", {"l1": 0.0, "l2": 0.5})))


def test_the_analytic_model_needs_a_gradient_by_hand(configured: Configured) -> None:
    with pytest.raises(UserError, match=r"has no gradient\(\) for model=analytic; use model=manual"):
        build_loss(configured(model=schema.AnalyticModel(), loss=Custom("torch.nn.HuberLoss")))


@pytest.mark.usefixtures("theirs")
def test_so_does_a_class_made_of_it(configured: Configured) -> None:
    with pytest.raises(UserError, match=r"has no gradient\(\) for model=analytic; use model=manual"):
        build_loss(configured(model=Custom("their_parts.Own"), loss=Custom("torch.nn.HuberLoss")))


def test_keys_of_the_choice_that_was_replaced_are_left_out_at_their_defaults() -> None:
    def given(**keys: Any) -> dict[str, Any]:
        return own_options("optimizer", torch.optim.Adadelta, Custom("torch.optim.Adadelta", keys))

    assert given(lr=0.5, momentum=0.0, nesterov=False) == {"lr": 0.5}
    assert given(lr=0.5, momentum=0.9) == {"lr": 0.5, "momentum": 0.9}  # asked for: the class is to refuse it
    assert given(rho=0.8) == {"rho": 0.8}
    assert schema.options(schema.Huber(delta=2.0)) == {"delta": 2.0, "l2": 0.0, "l1": 0.0}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"optimizer": Custom("torch.optim.SparseAdam", {"lr": 0.1})}, "is for sparse gradients"),
        ({"optimizer": Custom("torch.optim.LBFGS", {})}, r"a step\(\) without a closure"),
        (
            {"optimizer": Custom("experiments.learning.optimizers.SGD", {})},
            "optimizer.lr=None: an update rule needs a number",
        ),
        ({"loss": Custom("their_parts.Words", {})}, "gives no single number"),
        ({"loss": Custom("torch.nn.CosineEmbeddingLoss", {})}, r"can't be called as loss\(prediction, target\)"),
        ({"model": Custom("torch.nn.Identity", {})}, r"predicts \(1, 3\) for one row; must be \(1, 2\)"),
        ({"model": Custom("torch.nn.Embedding", {"num_embeddings": 2, "embedding_dim": 2})}, "cannot predict a row"),
    ],
)
@pytest.mark.usefixtures("theirs")
def test_what_cannot_train_is_refused(changes: dict[str, Any], said: str, configured: Configured) -> None:
    with pytest.raises(UserError, match=said):
        assemble(configured(**changes))


def test_a_model_of_the_users_own_draws_from_the_runs_seed_and_leaves_torchs(
    theirs: str, configured: Configured
) -> None:
    before = torch.get_rng_state()
    node = Custom(f"{theirs}.Net", {"init": "uniform", "bias": True})  # of model=linear; their class has no init
    first, second, other = (assemble(configured(model=node, seed=seed)).parameters()[0] for seed in (3, 3, 4))
    assert torch.equal(first, second) and not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
