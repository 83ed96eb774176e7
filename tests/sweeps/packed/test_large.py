"""Sweeps of which only a part is composed at a time, and comparisons that read only what is asked for."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from experiments import compare
from experiments.__main__ import main
from experiments.cli.notebook import sweep
from experiments.comparison import large
from experiments.comparison.choosing import Choice
from experiments.comparison.runs_table import collect, ranked_by
from experiments.sweeps import sweeping
from experiments.tracking import packed
from tests.support.killing_packed import jobs

WORDS = ["seed=range(0,9)", "optimizer.lr=1e-5,1e-4,1", "training.epochs=3", "sweep.keep=none", "sweep.curves=last"]
TIMED = ("seconds",)


def rows(folder: Path) -> pl.DataFrame:
    return pl.read_parquet(folder / "results.parquet").drop(TIMED)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sweep in one part."""
    folder = tmp_path_factory.mktemp("whole")
    assert main(["-m", *WORDS, f"hydra.sweep.dir={folder}"]) == 0
    return folder


@pytest.fixture
def in_parts(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """The same sweep in parts of eight jobs, 27 in all."""
    monkeypatch.setattr(sweeping, "PART", 8)
    capsys.readouterr()
    assert main(["-m", *WORDS, f"hydra.sweep.dir={tmp_path / 's'}"]) == 0
    return tmp_path / "s"


def test_parts_leave_what_the_whole_leaves(whole: Path, in_parts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Jobs, table and summary; what is told of is the same up to folders and times."""
    assert jobs(in_parts) == jobs(whole)
    assert rows(in_parts).equals(rows(whole).select(rows(in_parts).columns))
    said = capsys.readouterr().out
    assert "27 jobs: 18 completed, 9 diverged" in said and "best: optimizer.lr=" in said
    assert not (in_parts / "results.csv").exists()


def test_resuming_runs_what_no_pack_has(whole: Path, in_parts: Path) -> None:
    first, *_, last = packed.packs(in_parts)
    kept = {pack: (pack / "results.parquet").stat().st_mtime_ns for pack in packed.packs(in_parts)[1:-1]}
    shutil.rmtree(first)
    shutil.rmtree(last)
    (in_parts / "packs/.99.tmp").mkdir()
    assert main(["resume", str(in_parts)]) == 0
    assert jobs(in_parts) == jobs(whole) and rows(in_parts).equals(rows(whole).select(rows(in_parts).columns))
    assert {pack: (pack / "results.parquet").stat().st_mtime_ns for pack in kept} == kept
    assert not (in_parts / "packs/.99.tmp").exists()


def test_new_jobs_take_free_numbers(in_parts: Path) -> None:
    """A resumed sweep that has come to have other jobs keeps the old ones as they are."""
    before = jobs(in_parts)
    words = [word.replace("range(0,9)", "range(4,13)") for word in WORDS]
    assert main(["-m", *words, f"sweep.resume={in_parts}"]) == 0
    after = jobs(in_parts)
    assert {number: after[number] for number in before} == before
    assert sorted(after) == list(range(27 + 12))
    seeds = pl.read_parquet(in_parts / "results.parquet")["seed"].to_list()
    assert sorted(set(seeds)) == list(range(13))


def test_a_table_for_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sweeping, "PART", 8)
    monkeypatch.chdir(tmp_path)
    assert sweep(*WORDS).height == 27


def test_comparing_reads_what_is_asked_for(
    whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same first rows as when all jobs are read, and a note; statistics are over all of them."""

    def shown(*words: str) -> list[str]:
        columns = [] if "--group-by" in words else ["--columns", "run,gap"]
        assert main(["compare", str(whole), *words, *columns]) == 0
        return capsys.readouterr().out.splitlines()

    asked = (["--top", "3"], ["--where", "optimizer.lr < 5e-5", "--top", "2"], ["--sort", "r2.apples", "--top", "4"],
             ["--group-by", "lr"], ["--sort", "seed", "--reverse", "--top", "2"])  # fmt: skip
    capsys.readouterr()
    expected = [
        shown(*words, "--columns", "run,gap") if "--group-by" not in words else shown(*words) for words in asked
    ]
    monkeypatch.setattr(large, "MOST_WHOLE", 10)
    for words, lines in zip(asked, expected, strict=True):
        assert shown(*words) == lines
    monkeypatch.setattr(large, "SHOWN", 5)
    with pytest.warns(UserWarning, match="27 jobs without folders, of which the first 5 by gap are looked at"):
        assert compare(whole).height == 5
    assert main(["compare", str(whole), "--html", "page.html"]) == 0
    assert "27 jobs without folders, of which the first 5 by gap are looked at" in Path("page.html").read_text()
    for words, said in (
        (["--where", "nope < 1"], "there is no column nope"),
        (["--sort", "gaap"], "gaap: there is no such column; did you mean gap?"),
    ):
        assert main(["compare", str(whole), *words]) == 2
        assert said in capsys.readouterr().err


def test_over_keys_all_jobs_of_a_large_sweep_count_and_the_runs_beside_it(
    whole: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same answers as when all files are read; other losses and data are kept apart; no job counts twice."""
    words = ["optimizer=sgd,adam", "training.epochs=3", "optimizer.lr=1e-5", "hydra.sweep.dir=small"]
    assert main(["-m", "seed=range(20,23)", *words, "sweep.keep=none"]) == 0
    assert main(["training.epochs=3", "loss=huber", "hydra.run.dir=one", "seed=5"]) == 0
    mixed = ["loss=huber,mse", "seed=range(0,8)", "training.epochs=3", "data.validation=0.2", "sweep.keep=2"]
    assert main(["-m", *mixed, "hydra.sweep.dir=mixed"]) == 0
    asked = (["--group-by", "lr"], ["--group-by", "optimizer", "--band", "interval"], ["--against", "lr=1e-5"],
             ["--group-by", "optimizer.momentum,lr", "--where", "seed < 21"], ["--band", "sem"])  # fmt: skip
    found = []
    for most in (10_000, 10):
        monkeypatch.setattr(large, "MOST_WHOLE", most)
        capsys.readouterr()
        for folders in (["small", "one"], ["mixed"]):
            for flags in asked:
                if folders == ["mixed"] and "--against" in flags:
                    flags = ["--against", "loss=huber"]
                status = main(["compare", str(whole), *folders, *flags])
                said = capsys.readouterr()
                found.append((most, status, said.out, said.err))
    half = len(found) // 2
    assert [answer[1:] for answer in found[:half]] == [answer[1:] for answer in found[half:]]
    assert [status for _, status, _, _ in found[:half]].count(0) == 9
    assert found[half][2].count("\n") > 4


@pytest.mark.parametrize("held_out", ["0", "0.2"])
def test_the_metric_of_jobs_none_of_which_finished(
    held_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is the one that they are ranked by when all of them are read."""
    words = ["seed=range(0,12)", "optimizer.lr=1e4", "training.epochs=40", f"data.validation={held_out}"]
    assert main(["-m", *words, "sweep.keep=none", f"hydra.sweep.dir={tmp_path / 's'}"]) == 0
    assert set(pl.read_parquet(tmp_path / "s/results.parquet")["status"]) == {"diverged"}
    asked = ranked_by(collect([tmp_path / "s"]).table)
    assert asked != "train_loss"
    monkeypatch.setattr(large, "MOST_WHOLE", 10)
    notes: list[str] = []
    large.jobs(Choice(top=3), str(tmp_path / "s"), notes)
    assert f"the first 3 by {asked} are looked at" in notes[0]
