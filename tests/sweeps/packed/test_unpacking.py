"""A job without a folder is read and unpacked as the folder that it would have had: byte for byte."""

import os
from pathlib import Path

import orjson
import pytest

from experiments.__main__ import main
from experiments.comparison.kept import below
from experiments.comparison.runs_table import collect
from experiments.stored import stored_run
from experiments.stored.lookup import load_run
from experiments.sweeps.packed import laying, unpacking
from experiments.sweeps.stacked.packs import AsRows, Pack
from experiments.tracking import packed

TABLE = "town,rain,apples\n" + "".join(f"{'ab'[i % 2]},{i},{3 * i + i % 2}\n" for i in range(12))
SWEEPS = {
    "rates of which some diverge": ["seed=1,2", "optimizer.lr=1e-5,1", "training.epochs=12"],
    "scaled and not, held-out rows, early stops": [
        "data.standardize=true,false", "data.validation=0.3", "training.patience=2", "optimizer.lr=1e-4,1e-2",
    ],
    "looks that are due at other epochs": ["training.log_every=1,3", "training.epochs=130,4", "optimizer=adam"],
    "classes": ["data=iris", "loss=cross_entropy", "loss.l2=1e-3", "optimizer.lr=1e-2,1e-3", "training.epochs=3"],
    "networks": ["model=mlp", "model.hidden=[3]", "seed=1,2", "optimizer.lr=1e-4", "training.epochs=3"],
    "a table with texts": ["data=table", "data.path=table.csv", "data.targets=[apples]", "optimizer.lr=1e-3,1e-4"],
    "no event files": ["seed=1,2", "tracking.tensorboard=false", "training.epochs=3"],
    "words, lists and groups": ["model=linear,manual", "optimizer=adam", "optimizer.betas=[0.8,0.9],[0.9,0.99]",
                                "training.epochs=3"],
}  # fmt: skip


@pytest.mark.parametrize("arguments", SWEEPS.values(), ids=SWEEPS)
def test_the_same_bytes(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The packs are written both ways from one training, so that times are the same too."""
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(TABLE)
    sweep, whole = tmp_path / "sweep", tmp_path / "whole"
    whole.mkdir()
    lay_down = laying.lay_down

    def both(pack: Pack, as_rows: AsRows) -> object:
        for run in range(len(pack.jobs)):
            pack._make_folder(run)
        for part in pack.parts():
            pack.finish(part)
        for job in pack.jobs:
            os.rename(sweep / job.name, whole / job.name)
        return lay_down(pack, as_rows)

    monkeypatch.setattr(laying, "lay_down", both)
    status = main(["-m", *arguments, "sweep.keep=none", "hydra.launcher.workers=1", f"hydra.sweep.dir={sweep}"])
    assert status == 0
    names = sorted(folder.name for folder in whole.iterdir())
    assert len(names) > 1 and not [entry for entry in sweep.iterdir() if entry.is_dir() and entry.name != "packs"]
    for name in names:
        expected = stored_run.read(str(whole / name))
        found = stored_run.read(str(sweep / name))
        assert (found.config, found.result) == (expected.config, expected.result)
        assert stored_run.records(str(sweep / name)) == stored_run.records(str(whole / name))
        job = packed.of_folder(sweep / name)
        assert job is not None
        assert unpacking.unpack(job, sweep) == sweep / name
        assert _files(sweep / name) == _files(whole / name)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(("curves", "count"), [("last", 1), ("none", 0)])
def test_fewer_curves(curves: str, count: int, tmp_path: Path) -> None:
    """`last` keeps the last line of each, `none` none; everything else stays."""
    words = ["-m", "seed=1,2", "training.epochs=4", "sweep.keep=none"]
    for kept in (curves, "all"):
        assert main([*words, f"sweep.curves={kept}", f"hydra.sweep.dir={tmp_path / kept}"]) == 0
    few, every = (stored_run.read(str(tmp_path / kept / "1_seed=2")) for kept in (curves, "all"))
    assert few.metrics.rows() == every.metrics.rows()[len(every.metrics) - count :][:count]
    assert few.result is not None and every.result is not None
    assert few.result["metrics"] == every.result["metrics"]
    assert main(["unpack", str(tmp_path / curves / "1")]) == 0
    assert len((tmp_path / curves / "1_seed=2/metrics.jsonl").read_bytes().splitlines()) == count


def test_a_packed_job_by_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """SWEEP/1, its folder's name, last, and best are found without a folder; what is not there is said."""
    monkeypatch.chdir(tmp_path)
    assert main(["-m", "optimizer.lr=1e-6,1e-4,1e-5", "training.epochs=3", "sweep.keep=none"]) == 0
    (sweep,) = Path("outputs/sweeps").iterdir()
    words = [f"{sweep}/1", f"{sweep.name}/1", "last/1", "best", f"{sweep}/1_lr=0.0001", f"{sweep.name}/1_lr=0.0001"]
    assert {load_run(word).folder.name for word in words} == {"1_lr=0.0001"}
    assert load_run("last").folder.name == "2_lr=1e-05"
    capsys.readouterr()
    for words, said in (
        (["predict", "last/7", "1,2,3"], "this sweep has no job 7"),
        (["unpack", "last"], "a sweep; name jobs, as last/0, or add --top N or --where SQL"),
        (["-m", "training.start=last/0"], "the job has no folder; make it: experiments unpack"),
        (["-m", "sweep.keep=bets:3"], "sweep.keep=bets:3: must be a whole number or all or none or best:N"),
        (["-m", "sweep.curves=lst"], "sweep.curves=lst: must be one of all, last, none; did you mean last?"),
    ):  # fmt: skip
        assert main(words) == 2
        assert said in capsys.readouterr().err
    assert main(["compare", "last/0", "last/1", "--sort", "train_loss"]) == 0
    assert [line.split("\t")[0] for line in capsys.readouterr().out.splitlines()[1:]] == ["1_lr=0.0001", "0_lr=1e-06"]
    assert main(["unpack", "last", "--top", "1"]) == 0
    assert main(["unpack", "last/1"]) == 2
    assert "has its folder" in capsys.readouterr().err


def test_kept_folders(tmp_path: Path) -> None:
    """N keeps the first, best:N those with the smallest gap; the line at the beginning and at the end says so."""
    words = ["-m", "optimizer.lr=1e-6,1e-4,1e-5", "training.epochs=3"]
    for keep, numbers in (("2", {"0", "1"}), ("best:2", {"1", "2"}), ("none", set()), ("all", {"0", "1", "2"})):
        folder = tmp_path / keep
        assert main([*words, f"sweep.keep={keep}", f"hydra.sweep.dir={folder}"]) == 0
        assert {path.name.split("_")[0] for path in folder.iterdir() if path.is_dir()} - {"packs"} == numbers
    assert {(found.jobs, found.status) for found in below(str(tmp_path))} == {(3, "all ended")}


def test_a_changed_config_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hash of the config is looked at, as that of a folder."""
    monkeypatch.chdir(tmp_path)
    assert main(["-m", "seed=1,2", "training.epochs=3", "sweep.keep=none", f"hydra.sweep.dir={tmp_path / 's'}"]) == 0
    about = tmp_path / "s/packs/0/about.json"
    about.write_bytes(about.read_bytes().replace(b'\\"batch_size\\": 5', b'\\"batch_size\\": 3'))
    run = load_run(str(tmp_path / "s/0"))
    assert orjson.loads(packed.of_folder(run.folder).config())["training"]["batch_size"] == 3  # type: ignore[union-attr]
    assert main(["rerun", str(tmp_path / "s/0")]) == 0
    assert "its config.json was changed after it began" in capsys.readouterr().out


def test_an_unpacked_job_is_compared_alone(tmp_path: Path) -> None:
    """Not with jobs of its sweep whose names are longer."""
    sweep = tmp_path / "s"
    assert main(["-m", "seed=range(0,12)", "training.epochs=1", "sweep.keep=none", f"hydra.sweep.dir={sweep}"]) == 0
    assert main(["unpack", str(sweep / "2")]) == 0
    (folder,) = (path for path in sweep.iterdir() if path.name.startswith("2_"))
    assert collect([folder]).table["seed"].to_list() == [2]
    assert collect([folder, sweep]).table.height == 12
