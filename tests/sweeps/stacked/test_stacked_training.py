"""The stack against the serial run, and against itself in packs of other sizes."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file

from experiments.config.schema import GROUPS, Config
from experiments.running import runner
from experiments.sweeps.single import run_alone
from tests.support.stacks import agree, config, lines, same, stacked

OPTIMIZERS = list(GROUPS["optimizer"])
SCHEDULES = list(GROUPS["schedule"])


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_one_epoch_of_one_step_from_equal_state_agrees_to_1e_12(optimizer: str, tmp_path: Path) -> None:
    for schedule, model in itertools.product(SCHEDULES, ("linear", "manual", "analytic")):
        setting = config(
            optimizer, schedule, model, training__epochs=1, training__batch_size=None, device__dtype="float64"
        )
        place = tmp_path / f"{schedule}-{model}"
        alone = runner.run(setting, place / "alone", single=False)
        together = run_alone(setting, place / "together")
        assert alone.parameters is not None
        assert together.parameters is not None
        for part in ("weight", "bias"):
            np.testing.assert_allclose(together.parameters[part], alone.parameters[part], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-9)])
def test_whole_runs_agree_with_the_serial_run(optimizer: str, dtype: str, tolerance: float, tmp_path: Path) -> None:
    settings_ = [
        config(optimizer, schedule, "linear", seed=seed, device__dtype=dtype) for seed, schedule in enumerate(SCHEDULES)
    ]
    for number, setting in enumerate(settings_):
        runner.run(setting, tmp_path / f"alone-{number}", single=False)
        run_alone(setting, tmp_path / f"together-{number}")
        agree(tmp_path / f"alone-{number}", tmp_path / f"together-{number}", tolerance)


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_drawn_configs_agree(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    draw = data.draw
    setting = config(
        draw(st.sampled_from(["sgd", "manual_sgd", "adam", "adamw"])),
        draw(st.sampled_from(SCHEDULES)),
        draw(st.sampled_from(["linear", "manual", "analytic"])),
        seed=draw(st.integers(0, 2**63 - 1)),
        data="synthetic",
        data__n_rows=draw(st.integers(4, 40)),
        data__n_features=draw(st.integers(1, 5)),
        data__n_targets=draw(st.integers(1, 3)),
        data__noise=0.5,
        data__seed=draw(st.integers(0, 100)),
        data__standardize=draw(st.booleans()),
        data__validation=draw(st.sampled_from([0.0, 0.3])),
        training__epochs=draw(st.integers(1, 12)),
        training__batch_size=draw(st.sampled_from([None, 1, 3, 7, 64])),
        training__log_every=draw(st.integers(1, 4)),
        training__patience=draw(st.sampled_from([None, 1, 3])),
        training__shuffle=draw(st.booleans()),
        model__init=draw(st.sampled_from(["uniform", "normal"])),
        model__bias=draw(st.booleans()),
        optimizer__lr=draw(st.sampled_from([0.001, 0.02])),
        device__dtype="float64",
    )
    folder = tmp_path_factory.mktemp("drawn")
    runner.run(setting, folder / "alone", single=False)
    run_alone(setting, folder / "together")
    agree(folder / "alone", folder / "together", 1e-9)


SHORT_OF_RANK = "a,b,c,d,y,z\n" + "".join(f"{i},{i * i},{i + i * i},7,{3 * i - 1 + i % 3},{i % 5}\n" for i in range(12))


ODD: dict[str, dict[str, Any]] = {
    "short of rank": {},
    "several targets held out": {"data__validation": 0.25, "data__standardize": True},
    "a growing schedule": {"schedule": "step", "schedule__gamma": 1e30, "schedule__step_size": 3,
                           "training__epochs": 9},
    "the best kept": {"training__keep": "best", "training__log_every": 3, "data__validation": 0.25},
    "no intercept": {"model__bias": False},
    "a rate from the data": {"optimizer__lr": "auto", "data__standardize": True},
}  # fmt: skip


@pytest.mark.parametrize("kind", ODD)
def test_every_field_agrees_also_where_the_table_is_odd(kind: str, tmp_path: Path) -> None:
    (tmp_path / "odd.csv").write_text(SHORT_OF_RANK)
    changes = {"optimizer__lr": 1e-5, "data": "table", "device__dtype": "float64"} | ODD[kind]
    table = {"data__path": str(tmp_path / "odd.csv"), "data__targets": ["y", "z"]}
    setting = config(**{**changes, **table})
    alone = runner.run(setting, tmp_path / "alone", single=False)
    together = run_alone(setting, tmp_path / "together")
    agree(tmp_path / "alone", tmp_path / "together", 1e-9)
    assert together.table is not None and alone.table is not None
    assert torch.equal(together.table.x, alone.table.x) and together.message == alone.message
    assert together.folder == tmp_path / "together"
    assert (alone.message is not None) == (alone.status == "diverged") == (kind == "a growing schedule")


def test_a_stack_warns_of_an_optimum_that_is_not_unique_as_a_run_alone_does(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "odd.csv").write_text(SHORT_OF_RANK)
    setting = config(data="table", data__path=str(tmp_path / "odd.csv"), data__targets=["y"])
    with caplog.at_level("WARNING", logger="experiments"):
        runner.run(setting, tmp_path / "alone", single=False)
        said = [record.getMessage() for record in caplog.records]
        caplog.clear()
        stacked([setting, setting], tmp_path)
    assert [record.getMessage() for record in caplog.records] == said
    assert said[0].startswith("the optimum is not unique: rank 4 of 6") and len(said) == 3


def test_the_logged_gap_is_never_below_zero_and_is_that_of_the_result(tmp_path: Path) -> None:
    for number, setting in enumerate(
        (config("adam", training__epochs=600, data__standardize=True, training__batch_size=None),
         config(data__standardize=True, optimizer__lr=0.5, training__epochs=400, training__batch_size=None))
    ):  # fmt: skip
        runner.run(setting, tmp_path / f"alone{number}", single=False)
        run_alone(setting, tmp_path / f"together{number}")
        for name in (f"alone{number}", f"together{number}"):
            gaps = [line["loss/gap"] for line in lines(tmp_path / name)]
            result = json.loads((tmp_path / name / "result.json").read_text())["metrics"]
            assert min(gaps) >= 0 and 0 <= result["gap"] < 1e-6
            assert gaps[-1] == pytest.approx(result["gap"], rel=0.1, abs=1e-9)


WIDE = {"data": "synthetic", "data__n_rows": 60, "data__n_features": 40, "data__n_targets": 3,
        "training__batch_size": 17, "optimizer__lr": 1e-3}  # fmt: skip
DOUBLE = {"device__dtype": "float64"}
KINDS: dict[str, dict[str, Any]] = {
    "crops": {},
    "full batch": {"training__batch_size": None},
    "adam": {"optimizer": "adam", "training__patience": 2, "optimizer__betas": lambda s: [0.9, 1 - 0.1 / (s + 2)],
             **DOUBLE},
    "adamw": {"optimizer": "adamw", "schedule": "cosine", "schedule__epochs": lambda s: 5 + s, **DOUBLE},
    "rmsprop": {"optimizer": "rmsprop", "schedule": "step", "schedule__gamma": lambda s: 1 / (s + 1),
                "schedule__step_size": 2, **DOUBLE},
    "adagrad": {"optimizer": "adagrad", "schedule": "inverse_time", "optimizer__lr_decay": 0.1},
    "momentum": {"optimizer__momentum": lambda s: (s + 1) / 100, "schedule": "warmup", **DOUBLE},
    "one number": {"data": "synthetic", "data__n_rows": 9, "data__n_features": 1, "data__n_targets": 1,
                   "model__bias": False, "optimizer": "adam", "training__batch_size": 4},
    "wide": WIDE,
    "wide standardised": {**WIDE, **DOUBLE, "data__standardize": True},
    "standardised": {"data__standardize": True, "optimizer__lr": 0.1, "data__validation": 0.2},
}  # fmt: skip


def some(kind: str, count: int) -> list[Config]:
    """Configs that differ in seed and epochs, and where the kind names it in a rate or a schedule's number."""
    found = []
    for seed in range(count):
        changes: dict[str, Any] = {
            name: value(seed) if callable(value) else value for name, value in KINDS[kind].items()
        }
        found.append(config(seed=seed, training__epochs=6 + seed % 3, **changes))
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_a_jobs_bits_do_not_depend_on_its_pack(kind: str, tmp_path: Path) -> None:
    whole = stacked(some(kind, 67), tmp_path / "67")
    for count in (1, 2, 7, 50):
        for number, folder in enumerate(stacked(some(kind, count), tmp_path / str(count))):
            same(folder, whole[number])
    last = stacked(some(kind, 67)[-1:], tmp_path / "last")  # the end of a tensor, where vectorised code has ended
    same(last[0], whole[-1])


def test_a_jobs_bits_are_the_same_in_a_pack_of_1000(tmp_path: Path) -> None:
    whole = stacked(some("adam", 1000), tmp_path / "1000")
    for number, folder in enumerate(stacked(some("adam", 1000)[990:], tmp_path / "10"), start=990):
        same(folder, whole[number])


def test_a_run_that_diverges_ends_alone(tmp_path: Path) -> None:
    calm = stacked([config(seed=s) for s in (1, 2)], tmp_path / "calm")
    wild = [config(seed=1), config(seed=5, optimizer__lr=1.0), config(seed=2)]
    first, diverged, second = stacked(wild, tmp_path / "wild")
    assert json.loads((diverged / "result.json").read_text())["status"] == "diverged"
    assert lines(diverged)[-1]["loss/train"] is None
    for folder, alike in ((first, calm[0]), (second, calm[1])):
        for name in ("model.safetensors", "metrics.jsonl"):
            assert (folder / name).read_bytes() == (alike / name).read_bytes()


def test_runs_of_one_pack_may_differ_in_all_that_the_issue_names(tmp_path: Path) -> None:
    different = [
        config("sgd", "cosine", seed=1, optimizer__momentum=0.5, optimizer__lr=1e-5, training__epochs=5),
        config("manual_sgd", "cosine", "manual", seed=2, optimizer__momentum=0.9, optimizer__lr=2e-6,
               optimizer__dampening=0.1, training__log_every=3, model__init="normal"),
        config("sgd", "cosine", "analytic", seed=3, optimizer__momentum=0.1, schedule__minimum=0.5,
               training__patience=2, schedule__epochs=7, data__loader="torch"),
        config("sgd", "cosine", seed=4, optimizer__momentum=0.3, data__standardize=True, optimizer__lr=0.05),
    ]  # fmt: skip
    for setting, folder in zip(different, stacked(different, tmp_path / "pack"), strict=True):
        alone = tmp_path / f"alone-{folder.name}"
        runner.run(setting, alone, single=False)
        agree(alone, folder, 1e-5)


def test_stacked_weights_are_those_of_the_result(tmp_path: Path) -> None:
    (folder,) = stacked([config(data__standardize=True, optimizer__lr=0.1)], tmp_path)
    weights, result = load_file(folder / "model.safetensors"), json.loads((folder / "result.json").read_text())
    assert weights["weight"].tolist() == result["parameters"]["weight"]
    assert weights["bias"].tolist() == result["parameters"]["bias"]
    assert weights["trained.weight"].dtype == np.float32
    assert torch.get_num_threads() >= 1
