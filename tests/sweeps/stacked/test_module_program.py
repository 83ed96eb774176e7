"""Networks and modules of the user's own, stacked: against the serial run, and against themselves in other packs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.config.schema import Config
from experiments.running import runner
from experiments.sweeps.compose.packing import plan
from experiments.sweeps.single import _job, run_alone
from experiments.sweeps.stacked.module_program import NotStacked
from tests.support.stacks import agree, config, lines, same, stacked

OWN = "tests.support.own_models"
TABLE = {"data": "synthetic", "data__n_rows": 50, "data__n_features": 4, "data__n_targets": 2,
         "training__batch_size": 16, "optimizer__lr": 0.02}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "mlp": {"model": "mlp", "model__hidden": [7, 5]},
    "no hidden layer": {"model": "mlp", "model__hidden": []},
    "tanh, adam, held out": {"model": "mlp", "model__activation": "tanh", "optimizer": "adam",
                             "data__validation": 0.3, "data__standardize": True},
    "gelu, momentum, a schedule": {"model": "mlp", "model__activation": "gelu", "optimizer__momentum": 0.5,
                                   "schedule": "cosine", "training__batch_size": None},
    "dropout": {"model": "mlp", "model__dropout": 0.4, "optimizer": "adamw"},
    "penalties": {"model": "mlp", "loss__l2": 0.01, "loss__l1": 0.005},
    "penalties, adam": {"model": "mlp", "loss__l1": 0.01, "optimizer": "adam"},
    "patience": {"model": "mlp", "training__patience": 2, "data__validation": 0.3, "optimizer__lr": 0.3,
                 "training__epochs": 40},
    "huber": {"model": "mlp", "loss": "huber", "loss__delta": 0.4, "data__standardize": True},
    "l1": {"model": "mlp", "loss": "l1", "optimizer": "rmsprop"},
    "of one's own": {"model": f"{OWN}.TwoLayers", "optimizer": "adagrad"},
    "tied": {"model": f"{OWN}.Tied", "optimizer": "adam"},
    "batch norm": {"model": f"{OWN}.Normalised", "training__patience": 4, "optimizer__momentum": 0.5},
    "a loss of one's own": {"model": "linear", "loss": f"{OWN}.Cauchy", "data__standardize": True},
    "both": {"model": f"{OWN}.TwoLayers", "loss": f"{OWN}.LogCosh"},
    "rounded otherwise at the end": {"loss": f"{OWN}.LogCosh", "data__n_targets": 1, "training__batch_size": 7},
    "analytic, l1": {"model": "analytic", "loss": "l1", "optimizer": "adam"},
    "linear, huber, scaled": {"loss": "huber", "loss__delta": 0.4, "data__standardize": True},
    "linear, penalties": {"loss__l2": 0.02, "loss__l1": 0.01, "data__standardize": True},
    "linear, l1, penalty, adam": {"loss": "l1", "loss__l2": 0.02, "optimizer": "adam"},
}  # fmt: skip


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", OWN)


def setting(kind: str, **changes: Any) -> Config:
    return config(**{**TABLE, **KINDS[kind], **changes})


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_agrees_with_the_run_alone_in_every_field(kind: str, tmp_path: Path) -> None:
    one = setting(kind, device__dtype="float64", seed=5)
    alone = runner.run(one, tmp_path / "alone", single=False)
    together = run_alone(one, tmp_path / "together")
    agree(tmp_path / "alone", tmp_path / "together", 1e-10)
    assert (together.parameters is None) == (alone.parameters is None)


@pytest.mark.parametrize("kind", ["mlp", "dropout"])
def test_in_float32_losses_agree_to_four_digits(kind: str, tmp_path: Path) -> None:
    runner.run(setting(kind), tmp_path / "alone", single=False)
    run_alone(setting(kind), tmp_path / "together")
    for one, other in zip(lines(tmp_path / "alone"), lines(tmp_path / "together"), strict=True):
        assert other["loss/train"] == pytest.approx(one["loss/train"], rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_jobs_bits_do_not_depend_on_its_pack(kind: str, tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [{"seed": s, "training__epochs": 4 + s % 3} for s in range(23)]
    if "loss__l2" in KINDS[kind]:
        changes = [c | {"loss__l2": 0.001 * (1 + c["seed"])} for c in changes]
    configs = [setting(kind, **c) for c in changes]
    whole = stacked(configs, tmp_path / "all")
    for name, part in (("one", [7]), ("two", [3, 4]), ("seven", list(range(9, 16))), ("last", [22])):
        for number, folder in zip(part, stacked([configs[n] for n in part], tmp_path / name), strict=True):
            same(folder, whole[number])


def test_a_run_that_diverges_touches_nobody(tmp_path: Path) -> None:
    calm = [setting("mlp", seed=s) for s in (1, 2)]
    first, second = stacked(calm, tmp_path / "calm")
    kept, wild, other = stacked([calm[0], setting("mlp", seed=3, optimizer__lr=1e3), calm[1]], tmp_path / "wild")
    assert json.loads((wild / "result.json").read_text())["status"] == "diverged"
    same(kept, first)
    same(other, second)


def test_beside_a_network_stands_the_best_linear_model(tmp_path: Path) -> None:
    network, linear = (
        runner.run(config(**{**TABLE, "model": model}), tmp_path / model, single=False) for model in ("mlp", "linear")
    )
    assert network.parameters is None and network.conditioning is None and network.optimum is None
    assert network.metrics["linear_loss"] == linear.metrics["optimum_loss"] and "linear_loss" not in linear.metrics
    (stack,) = stacked([config(**{**TABLE, "model": "mlp"})], tmp_path / "stack")
    for metrics in (network.metrics, json.loads((stack / "result.json").read_text())["metrics"]):
        assert metrics["optimum_loss"] is metrics["gap"] is metrics["gap_relative"] is None
        assert metrics["linear_loss"] == network.metrics["linear_loss"]
    assert "loss/gap" not in lines(stack)[-1] and "loss/gap" not in lines(tmp_path / "mlp")[-1]


@pytest.mark.parametrize(("model", "why"), [("Dropping", "random"), ("Branching", "stack this model")])
def test_what_can_not_be_stacked_says_why(model: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(NotStacked, match=why):
        stacked([config(**{**TABLE, "model": f"{OWN}.{model}"})], tmp_path)


def test_modules_of_other_starts_are_packs_of_their_own() -> None:
    """They were built once for a pack, from the start of its first job."""
    kind = "a loss of one's own"
    starts = [_job(setting(kind, model__init=init, seed=s)) for s in (1, 2) for init in ("zeros", "normal")]
    assert sorted(len(pack) for pack in plan(starts).packs) == [2, 2]
    assert len(plan([_job(setting("linear, huber, scaled", model__init=i)) for i in ("zeros", "normal")]).packs) == 1


def test_the_threads_of_others_are_left_as_they_were(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    stacked([setting("mlp")], tmp_path)
    assert torch.get_num_threads() == before
