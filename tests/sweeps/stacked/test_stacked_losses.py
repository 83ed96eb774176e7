"""Classes stacked: gradients against autograd; linear models and networks against the run alone and in other packs."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from experiments.__main__ import main
from experiments.config.schema import Config
from experiments.running import assembly, runner
from experiments.sweeps.single import run_alone
from experiments.sweeps.stacked.module_program import ModuleProgram
from experiments.sweeps.stacked.stacked_models import StackedModels
from experiments.sweeps.stacked.table_cache import TableCache
from tests.support.samples import sample
from tests.support.stacks import agree, config, lines, same, stacked

OWN = "tests.support.own_models"
KINDS: dict[str, dict[str, Any]] = {
    "softmax": {},
    "softmax, adam, held out, weights": {
        "model": "manual", "optimizer": "adam", "data__validation": 0.3, "data__standardize": "inputs",
        "loss__weight": [1.0, 2, 3, 4, 5, 6, 7, 8, 9, 10], "loss__label_smoothing": 0.1,
    },
    "softmax, penalties": {"model": "analytic", "loss__l2": 0.01, "loss__l1": 0.001},
    "logistic": {"classes": 2, "training__patience": 2, "data__validation": 0.3, "optimizer__lr": 0.3},
    "mlp": {"model": "mlp", "model__hidden": [9], "loss__l2": 0.001},
    "mlp, two classes, adam": {"model": "mlp", "classes": 2, "optimizer": "adam", "data__standardize": "inputs"},
    "mlp, dropout, a batch for all": {"model": "mlp", "model__dropout": 0.3, "model__activation": "gelu",
                                      "training__batch_size": None},
    "cnn": {"model": "cnn", "model__channels": [3, 4], "optimizer__momentum": 0.5, "data__validation": 0.2},
    "cnn, dropout": {"model": "cnn", "model__channels": [4], "model__dropout": 0.5, "loss__label_smoothing": 0.1,
                     "schedule": "cosine"},
    "of one's own": {"model": f"{OWN}.TwoLayers", "training__keep": "best", "data__image": None},
}  # fmt: skip


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A few of the digits in 4 x 4 pixels as tables, of ten classes and of two."""
    x, y = sample("digits")
    x = x.reshape(-1, 4, 2, 4, 2).mean((2, 4)).reshape(-1, 16)
    files = {}
    for classes in (2, 10):
        files[classes] = tmp_path_factory.mktemp("digits") / f"{classes}.csv"
        rows = [[*row, f"digit {label}"] for row, label in zip(x, y, strict=True) if label < classes][:70]
        head = [*(f"pixel_{k}" for k in range(16)), "label"]
        files[classes].write_text("\n".join(",".join(map(str, row)) for row in [head, *rows]))
    return files


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXPERIMENTS_TRUSTED_MODULES", OWN)


def setting(kind: str, digits: dict[int, Path], **changes: Any) -> Config:
    """A config of few steps; `classes` in a kind says which table."""
    keys = {
        "device__threads": 1,
        "training__batch_size": 16,
        "training__epochs": 4,
        "optimizer__lr": 0.02,
        **KINDS[kind],
        **changes,
    }
    table = {"data": "table", "data__path": str(digits[keys.pop("classes", 10)]), "data__targets": ["label"],
             "data__image": [4, 4]}  # fmt: skip
    return config(loss="cross_entropy", **{**table, **keys})


@pytest.mark.parametrize("kind", KINDS)
def test_a_stack_agrees_with_the_run_alone_in_every_field(kind: str, digits: dict[int, Path], tmp_path: Path) -> None:
    one = setting(kind, digits, device__dtype="float64", seed=5, training__epochs=20)
    runner.run(one, tmp_path / "alone", single=False)
    run_alone(one, tmp_path / "together")
    agree(tmp_path / "alone", tmp_path / "together", 1e-10)


@pytest.mark.parametrize("kind", ["softmax", "mlp", "cnn", "cnn, dropout"])
def test_in_float32_losses_agree_to_four_digits(kind: str, digits: dict[int, Path], tmp_path: Path) -> None:
    one = setting(kind, digits, training__epochs=20)
    runner.run(one, tmp_path / "alone", single=False)
    run_alone(one, tmp_path / "together")
    assert {p.name.split(".")[0] for p in (tmp_path / "alone").iterdir()} == {
        p.name.split(".")[0] for p in (tmp_path / "together").iterdir()
    }
    for alone, together in zip(lines(tmp_path / "alone"), lines(tmp_path / "together"), strict=True):
        assert together["loss/train"] == pytest.approx(alone["loss/train"], rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_jobs_bits_depend_neither_on_its_pack_nor_on_one_that_diverges(
    kind: str, digits: dict[int, Path], tmp_path: Path
) -> None:
    configs = [setting(kind, digits, seed=s, training__epochs=2 + s % 2) for s in range(17)]
    cache = TableCache()
    whole = stacked(configs, tmp_path / "all", cache)
    for name, part in (("one", [7]), ("two", [3, 4]), ("seven", list(range(9, 16))), ("last", [16])):
        for number, folder in zip(part, stacked([configs[n] for n in part], tmp_path / name, cache), strict=True):
            same(folder, whole[number])
    wild = setting(kind, digits, seed=3, optimizer__lr=1e38)
    kept, diverged, other = stacked([configs[0], wild, configs[1]], tmp_path / "wild", cache)
    assert json.loads((diverged / "result.json").read_text())["status"] == "diverged"
    same(kept, whole[0])
    same(other, whole[1])


def autograd(models: StackedModels, parameters: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """By torch: of R modules, one after the other, with torch's own cross_entropy."""
    program, loss, found = models.program, models.loss, []
    for run in range(len(parameters)):
        leaf = parameters[run].clone().requires_grad_()
        named = {name: t[0] for name, t in program.state(leaf[None], torch.tensor([run])).items()}
        if isinstance(program, ModuleProgram):
            logits = functional_call(program.module, named, (x[run],))
        else:
            logits = x[run, :, :16] @ named["weight"].t() + named["bias"]
        if logits.shape[1] == 1:
            logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
        weight = None if loss.weight is None else logits.new_tensor(loss.weight)
        smoothed = {"label_smoothing": loss.label_smoothing}
        lost = torch.nn.functional.cross_entropy(logits, y[run, :, 0].long(), weight, **smoothed)
        found.append(torch.autograd.grad(lost, leaf)[0])
    return torch.stack(found)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "dropout" not in kind])
def test_gradients_are_those_of_autograd(kind: str, digits: dict[int, Path]) -> None:
    one = setting(kind, digits, device__dtype="float64")
    data = assembly.assemble(one).data
    models = StackedModels(one, [data], [1, 2, 3])
    program, tables = models.program, models.tables
    begin = program.begin if isinstance(program, ModuleProgram) else torch.randn(3, tables.outputs, tables.width)
    parameters = begin.double()
    rows = torch.arange(24).reshape(3, 8)
    x, y, variant = tables.x[0, rows], tables.y[0, rows], torch.zeros(3, dtype=torch.int64)
    found = program.gradients(parameters, x, y, 8, variant)
    torch.testing.assert_close(found, autograd(models, parameters, x, y), rtol=1e-10, atol=1e-12)


def test_a_sweep_of_classes_leaves_what_single_runs_do_and_is_run_again_to_the_same_bits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["data=iris", "loss=cross_entropy", "model=mlp,linear", "training.epochs=2", "data.validation=0.2"]
    assert main(["-m", *words, f"hydra.sweep.dir={tmp_path / 'sweep'}"]) == 0
    folders = sorted(p for p in (tmp_path / "sweep").iterdir() if p.is_dir())
    for folder in folders:
        assert json.loads((folder / "result.json").read_text())["executed"] == "stacked"
        capsys.readouterr()
        assert main(["rerun", str(folder)]) == 0
        said = capsys.readouterr().out
        assert "weights: the same bits" in said and "logged losses: the same bits" in said
    assert len(folders) == 2
