"""A run that was cut off and resumed has the bits of one that was not."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from experiments.__main__ import main
from experiments.config.schema import GROUPS, Config
from experiments.errors import UserError
from experiments.running import runner
from tests.support.killing import differences, make_config


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def cut(config: Config, folder: Path, epoch: int, resumed: bool = False) -> None:
    """Run until a Ctrl-C after `epoch`, which stops one step later: inside the next epoch."""
    seen = 0

    def watch(look: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == epoch:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt, match="experiments resume"):
        runner.run(config, folder, watch=watch, resumed=resumed)


def same_after_two_cuts(config: Config, place: Path, first: int = 3, second: int = 2) -> None:
    runner.run(config, place / "reference")
    cut(config, place / "cut", first)
    cut(config, place / "cut", second, resumed=True)
    runner.run(config, place / "cut", resumed=True)
    assert differences(place / "cut", place / "reference") == []


@pytest.mark.parametrize("optimizer", GROUPS["optimizer"])
@pytest.mark.parametrize("model", [model for model in GROUPS["model"] if model != "cnn"])  # which asks for images
def test_every_model_optimizer_schedule_and_patience(model: str, optimizer: str, tmp_path: Path) -> None:
    for number, schedule in enumerate(GROUPS["schedule"]):
        odd = bool(number % 2)
        config = make_config(
            model, optimizer, schedule, data__standardize=odd, optimizer__lr=1e-3 if odd else 1e-6,
            training={"epochs": 7, "patience": 100 if odd else None, "log_every": 1 + odd},
        )  # fmt: skip
        same_after_two_cuts(config, tmp_path / schedule)


@pytest.mark.parametrize(
    "keys",
    [
        {"data__loader": "torch"},
        {"data__validation": 0.4, "data__standardize": True},
        {"optimizer__momentum": 0.9, "optimizer__lr": 1e-6},
        {"optimizer": "adam", "optimizer__amsgrad": True},
        {"optimizer": "manual_rmsprop", "optimizer__centered": True, "optimizer__momentum": 0.5},
        {"data__block_rows": 4, "training": {"epochs": 9, "shuffle": "blocks"}},
        {"training": {"epochs": 9, "batch_size": None}},
        {"dtype": "float64", "model__bias": False},
        {
            "data": "synthetic",
            "data__n_rows": 1000,
            "data__n_features": 13,
            "optimizer__lr": 0.02,
            "training": {"epochs": 9, "batch_size": 50},  # lies otherwise against the cache lines after each step
        },
        {"loss": "huber", "tracking": {"tensorboard": True, "figures": True}},
        {
            "model": "cnn",
            "model__channels": [3],
            "model__dropout": 0.3,
            "data": "digits",
            "data__validation": 0.8,
            "loss": "cross_entropy",
            "optimizer": "adam",
            "optimizer__lr": 0.01,
            "training": {"epochs": 7, "batch_size": 100, "patience": 50},
        },
        {"data": "iris", "loss": "cross_entropy", "loss__l2": 0.01, "optimizer__lr": 0.1, "data__validation": 0.3},
    ],
)
def test_every_way_of_training(keys: dict[str, Any], tmp_path: Path) -> None:
    config = make_config(**{"training": {"epochs": 9, "checkpoint_every": 2}, **keys})
    same_after_two_cuts(config, tmp_path)


def test_early_stopping_counts_on_after_a_cut(tmp_path: Path) -> None:
    config = make_config(
        optimizer="adam", optimizer__lr=3.0, data__validation=0.3, training={"epochs": 200, "patience": 3}
    )
    reference = runner.run(config, tmp_path / "reference")
    assert reference.status == "stopped_early" and reference.best_epoch is not None
    cut(
        config, tmp_path / "cut", reference.epochs - 1
    )  # the best epoch is behind: its weights come from the checkpoint
    runner.run(config, tmp_path / "cut", resumed=True)
    assert differences(tmp_path / "cut", tmp_path / "reference") == []


def test_a_damaged_checkpoint_is_passed_over(tmp_path: Path) -> None:
    config = make_config(training={"epochs": 10, "checkpoint_every": 2})
    runner.run(config, tmp_path / "reference")
    for damage in (lambda b: b[:-7], lambda b: b[:200] + b"\0" * 9 + b[209:], lambda b: b""):
        folder = tmp_path / str(id(damage))
        cut(config, folder, 7)
        older, newest = sorted((folder / "checkpoint").glob("*.safetensors"))
        newest.write_bytes(damage(newest.read_bytes()))
        runner.run(config, folder, resumed=True)
        assert differences(folder, tmp_path / "reference") == []
        assert "is passed over" in (folder / "run.log").read_text()
        assert not older.exists()


def test_killed_before_anything_but_its_config(tmp_path: Path) -> None:
    config = make_config(training={"epochs": 4})
    reference = runner.run(config, tmp_path / "reference")
    (tmp_path / "early").mkdir()
    (tmp_path / "early/config.json").write_bytes((tmp_path / "reference/config.json").read_bytes())
    runner.run(config, tmp_path / "early", resumed=True)
    assert differences(tmp_path / "early", tmp_path / "reference") == []
    assert reference.status == "completed"


def test_time_is_summed_and_the_limit_is_of_all_sessions(tmp_path: Path) -> None:
    config = make_config(training={"epochs": 10**6, "max_seconds": 1.0, "log_every": 10})
    cut(config, tmp_path / "run", 100)
    result = runner.run(config, tmp_path / "run", resumed=True)
    assert result.status == "stopped_early"
    assert 1.0 <= result.timing["train_seconds"] < 1.6
    assert result.timing["total_seconds"] > result.timing["train_seconds"]


def test_another_table_is_refused(tmp_path: Path) -> None:
    cut(make_config(training={"epochs": 9}), tmp_path / "run", 3)
    text = (tmp_path / "run/config.json").read_text()
    changed = make_config(data="crops_small", training={"epochs": 9})
    with pytest.raises(UserError, match="is not what it was when the run began"):
        runner.run(changed, tmp_path / "run", resumed=True)
    assert (tmp_path / "run/config.json").read_text() == text


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = make_config(training={"epochs": 9})
    runner.run(config, tmp_path / "reference")
    cut(config, tmp_path / "run", 4)
    assert main(["resume", str(tmp_path / "run")]) == 0
    assert "completed after 9 epochs, 27 steps" in capsys.readouterr().out
    assert json.loads((tmp_path / "run/result.json").read_bytes())["steps"] == 27
    assert main(["resume", str(tmp_path / "run")]) == 0
    assert "has ended" in capsys.readouterr().out
    for words, said in (
        (["resume"], "the following arguments are required: FOLDER; see experiments resume --help"),
        (["resume", "a", "b"], "resume: b: one argument too many; see experiments resume --help"),
        (["resume", "a", "--hlp"], "resume: --hlp: no such flag; did you mean --help?"),
        (["resume", str(tmp_path / "nowhere")], "no such folder"),
        (["resume", str(tmp_path)], "no config.json"),
    ):
        assert main(words) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and said in error


def test_one_holder_at_a_time(tmp_path: Path) -> None:
    config = make_config(training={"epochs": 5})
    said: list[str] = []

    def watch(look: Any) -> None:
        with pytest.raises(UserError, match=r"process \d+ on \S+ is at work in this folder") as refused:
            runner.run(config, tmp_path / "run", resumed=True)
        said.append(str(refused.value))

    runner.run(config, tmp_path / "run", watch=watch)
    assert len(said) == 5
    assert not (tmp_path / "run/checkpoint").exists()


@pytest.mark.parametrize("name", ["it's", r"a\b", r"a\'b"])
def test_a_sweep_in_a_folder_of_any_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["-m", "seed=1,2", "training.epochs=1", "hydra.sweep.dir=s"]) == 0
    sweep = Path("s").rename(name)
    (sweep / "1_seed=2/result.json").unlink()
    assert main(["resume", name]) == 0
    assert (sweep / "1_seed=2/result.json").is_file()
