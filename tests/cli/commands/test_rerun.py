"""experiments rerun: the stored config again, in every way a run can have been made, and what is said of the bits."""

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from experiments import run, sweep
from experiments.__main__ import main
from experiments.stored.lookup import resolve

Capture = pytest.CaptureFixture[str]
QUICK = ["training.epochs=6", "tracking.figures=false", "tracking.tensorboard=false"]
SAME = ["weights: the same bits", "logged losses: the same bits", "versions, commit, device and data: the same"]
DETERMINED = ("metrics", "parameters", "steps", "epochs", "best_epoch", "status", "executed", "config_hash")


def trained(*overrides: str) -> Path:
    folder = run(*QUICK, *overrides).folder
    assert folder is not None
    return folder


def verdict(folder: Path | str, capsys: Capture, *overrides: str) -> list[str]:
    """What rerun says after its summary."""
    capsys.readouterr()
    assert main(["rerun", str(folder), *overrides]) == 0
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    return lines[next(k for k, line in enumerate(lines) if line.startswith("against ")) + 1 :]


def determined(folder: Path) -> dict[str, Any]:
    """What a result has that does not depend on the clock or the place."""
    result = orjson.loads((folder / "result.json").read_bytes())
    return {name: result[name] for name in DETERMINED}


def edit(file: Path, **changes: Any) -> None:
    content = orjson.loads(file.read_bytes())
    for path, value in changes.items():
        *sections, name = path.split("__")
        node = content
        for section in sections:
            node = node[section]
        node[name] = value
    file.write_bytes(orjson.dumps(content))


@pytest.mark.parametrize(
    ("overrides", "status"),
    [
        ([], "completed"),
        (["optimizer=adam", "schedule=cosine", "model=manual", "loss=huber", "seed=5"], "completed"),
        (["data=synthetic", "data.standardize=true", "device.dtype=float64", "optimizer=manual_adam"], "completed"),
        (["optimizer.lr=1"], "diverged"),
        (["training.patience=1", "data.validation=0.3", "optimizer.lr=8e-5", "training.epochs=99"], "stopped_early"),
        (["optimizer.lr=auto", "training.shuffle=false", "training.batch_size=null"], "completed"),
    ],
)
def test_a_serial_run_again_gives_the_same_bits(overrides: list[str], status: str, capsys: Capture) -> None:
    folder = trained(*overrides)
    assert verdict(folder, capsys) == SAME
    again = resolve("last")
    assert again != folder
    assert determined(again) == determined(folder)
    assert determined(again)["status"] == status
    assert (again / "metrics.jsonl").read_bytes() == (folder / "metrics.jsonl").read_bytes()
    assert (again / ".hydra/config.yaml").is_file()


def test_a_stacked_job_again_gives_the_same_bits_also_where_it_diverged(capsys: Capture) -> None:
    sweep(*QUICK, "optimizer.lr=1e-5,1", "seed=0,3", "training.patience=2")
    jobs = sorted(p.parent for p in Path("outputs/sweeps").rglob("result.json"))
    assert [determined(job)["status"] for job in jobs] == ["completed"] * 2 + ["diverged"] * 2
    for job in jobs:
        assert determined(job)["executed"] == "stacked"
        assert verdict(job, capsys) == SAME
        assert determined(resolve("last")) == determined(job)


def test_a_run_that_was_cut_off_and_resumed_again_gives_the_same_bits(capsys: Capture) -> None:
    whole = trained("training.checkpoint_every=2", "seed=4")
    cut = whole.with_name("cut")
    shutil.copytree(whole, cut)
    (cut / "result.json").unlink()
    assert main(["resume", str(cut)]) == 0
    assert verdict(cut, capsys) == SAME


def test_changes_are_said_beside_what_they_did(capsys: Capture) -> None:
    said = verdict(trained(), capsys, "seed=1", "optimizer=adam", "optimizer.lr=0.25")
    assert said[0].startswith("weights: other bits, the largest difference is ")
    assert said[1] == "logged losses: other ones from epoch 1 on"
    assert said[2] == SAME[2]
    assert {"seed: 0 then, 1 now", "optimizer: sgd then, adam now", "optimizer.lr: 1e-05 then, 0.25 now"} <= set(said)
    config = orjson.loads((resolve("last") / "config.json").read_bytes())
    assert config["optimizer"]["_target_"] == "torch.optim.Adam" and config["optimizer"]["lr"] == 0.25
    assert (
        resolve("last") / ".hydra/overrides.yaml"
    ).read_text() == "- seed=1\n- optimizer=adam\n- optimizer.lr=0.25\n"


def test_a_change_that_changes_no_bit_is_said_to_change_none(capsys: Capture) -> None:
    said = verdict(trained(), capsys, "training.log_every=2")
    assert said[0] == SAME[0]
    assert said[-1] == "training.log_every: 1 then, 2 now"


def test_other_data_versions_and_commits_are_said(capsys: Capture) -> None:
    Path("table.csv").write_text("a,b,y\n1,2,3\n2,3,5\n4,1,2\n7,7,1\n")
    folder = trained("data=table", "data.path=table.csv", "data.targets=[y]", "optimizer.lr=1e-3")
    Path("table.csv").write_text("a,b,y\n1,2,3\n2,3,5\n4,1,2\n7,7,2\n")
    edit(folder / "result.json", environment__versions__torch="2.4.0", environment__git_commit="abc")
    said = verdict(folder, capsys)
    assert said[0].startswith("weights: other bits")
    assert any(line.startswith("data_hash: ") for line in said)
    assert any(line.startswith("versions.torch: 2.4.0 then, ") for line in said)
    assert any(line.startswith("git_commit: abc then, ") for line in said)
    assert SAME[2] not in said
    Path("table.csv").unlink()
    assert main(["rerun", str(folder)]) == 2
    assert "table.csv: there is no such file" in capsys.readouterr().err


def test_a_config_changed_by_hand_and_a_run_without_result_are_said(capsys: Capture) -> None:
    folder = trained()
    edit(folder / "config.json", seed=1)
    assert "its config.json was changed after it began (the config_hash differs)" in verdict(folder, capsys)
    edit(folder / "config.json", seed=0)
    (folder / "result.json").unlink()
    (folder / "model.safetensors").unlink()
    assert verdict(folder, capsys) == [
        "weights: can't be compared (No such file or directory)", SAME[1],
        "that run has no result, so its environment is not known",
    ]  # fmt: skip


def test_mistakes_are_one_line_and_train_nothing(capsys: Capture) -> None:
    folder = trained()
    for words, said in (
        (["seed=1,2"], "seed=1,2: several values; rerun trains one run"),
        (["nonsense"], "nonsense: not an override; write key=value"),
        (["optimizer.lrr=1"], "optimizer.lrr: no such key in optimizer=sgd; did you mean lr?"),
        (["training.epochs=-1"], "training.epochs=-1: must be at least"),
        (["model=manul"], "did you mean manual?"),
        (["experiment=from_scratch"], "experiment: a preset sets several groups at once"),
        (["seed.x=1"], "seed.x=1: seed is no section of keys"),
        (["seed=[1"], "seed=[1: not an override"),
        (["--seed"], "--seed: no such flag"),
    ):
        capsys.readouterr()
        assert main(["rerun", str(folder), *words]) == 2, words
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and said in error, words
    assert [p.name for p in Path("outputs/runs").iterdir()] == [folder.name]


def test_more_epochs_of_a_finished_run_start_anew_and_the_way_to_go_on_is_said(capsys: Capture) -> None:
    folder = trained()
    capsys.readouterr()
    assert main(["rerun", str(folder), "training.epochs=9"]) == 0
    assert capsys.readouterr().err == (
        f"note: this starts anew, from epoch 1; training.start={folder} goes on from its weights\n"
    )
    for changes in (["training.epochs=3"], ["seed=2"], []):
        assert main(["rerun", str(folder), *changes]) == 0
        assert capsys.readouterr().err == ""
