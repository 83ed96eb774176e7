"""SIGKILL of a search and its workers: no trial lost, none twice, none renumbered, the same best at the end."""

import csv
import random
from pathlib import Path
from typing import cast

import optuna
import pytest
import torch
from optuna.storages.journal import JournalFileBackend

from experiments.__main__ import main
from tests.support.killing_sweeps import trial, undisturbed

SEARCH = [
    "hydra/sweeper=search", "optimizer.lr=tag(log,interval(1e-7,1e-3))", "optimizer.momentum=interval(0,0.9)",
    "search.sampler=tpe", "search.trials=22", "search.batch=8", "search.seeds=2", "training.epochs=3",
    "search.confirm=2",
]  # fmt: skip


def stored(place: Path) -> list[tuple[object, ...]]:
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(place / "study.journal")))
    study = optuna.load_study(study_name=None, storage=storage)
    return [(t.number, t.state, t.params, t.values, t.intermediate_values) for t in study.trials]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside torch's threads
@pytest.mark.parametrize("more", [[], ["search.pruner=halving", "training.epochs=9"]], ids=["whole", "halving"])
def test_killed_searches_end_with_the_same_trials_and_bits(more: list[str], tmp_path: Path) -> None:
    torch.set_num_threads(1)
    search = [*SEARCH, "hydra.launcher.workers=2", *more]
    seconds = undisturbed(search, tmp_path / "reference")
    dice = random.Random(77)  # kills the parent, early, and then whoever comes to the 59th of its writes
    kills, *problems = trial(search, tmp_path / "killed", tmp_path / "reference", seconds, 2, dice)
    assert int(kills) >= 1 and problems == []
    assert stored(tmp_path / "killed") == stored(tmp_path / "reference")


def test_a_search_is_extended_and_one_of_other_parameters_refused(capsys: pytest.CaptureFixture[str]) -> None:
    def asked(trials: int, folder: str) -> list[str]:
        return ["-m", *SEARCH, f"search.trials={trials}", folder]

    assert main(asked(22, "hydra.sweep.dir=whole")) == 0
    assert main(asked(11, "hydra.sweep.dir=part")) == 0
    assert len(stored(Path("part"))) == 11
    assert main(asked(22, "sweep.resume=part")) == 0
    whole, part = stored(Path("whole")), stored(Path("part"))
    assert part == whole
    capsys.readouterr()
    other = ["-m", *SEARCH[:1], "optimizer.lr=tag(log,interval(1e-6,1e-3))", *SEARCH[2:], "sweep.resume=part"]
    assert main(other) == 2
    assert "the stored study has other parameters: trial 0 is optimizer.lr=" in capsys.readouterr().err
    assert main([*asked(22, "sweep.resume=part"), "search.seeds=3"]) == 2
    assert "search.seeds=3: the sweep in" in capsys.readouterr().err


def test_a_halved_search_is_extended_from_a_generation_that_was_not_full(capsys: pytest.CaptureFixture[str]) -> None:
    halved = ["-m", *SEARCH, "search.pruner=halving", "search.min_epochs=1", "search.eta=2"]
    assert main([*halved, "search.trials=11", "hydra.sweep.dir=a"]) == 0
    before = stored(Path("a"))
    assert main([*halved, "search.trials=22", "sweep.resume=a"]) == 0
    after = stored(Path("a"))
    assert after[:11] == before and [trial[0] for trial in after] == list(range(22))
    steps = [next(iter(cast(dict[int, float], trial[4])), 3) for trial in after]  # the rungs are at 1 and 2
    each = [[steps[a:b].count(epoch) for epoch in (1, 2, 3)] for a, b in ((0, 8), (8, 11), (11, 19), (19, 22))]
    assert each == [[4, 2, 2], [2, 0, 1], [4, 2, 2], [2, 0, 1]]  # of 8 and 3, then of 8 and 3 anew
    with Path("a/results.csv").open() as file:
        assert [int(row["number"]) for row in csv.DictReader(file)] == list(range(44))
    journal = Path("a/study.journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-3]))  # killed before the last generation was stored
    assert main(["resume", "a"]) == 0
    assert stored(Path("a")) == after
    capsys.readouterr()
    assert main([*halved, "search.trials=21", "sweep.resume=a"]) == 2
    assert "search.trials=21: 22 trials of the search in" in capsys.readouterr().err
    assert stored(Path("a")) == after


def test_a_torn_journal_is_cut_back_to_whole_lines(tmp_path: Path) -> None:
    assert main(["-m", *SEARCH, "hydra.sweep.dir=a"]) == 0
    before, journal = stored(Path("a")), Path("a/study.journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(lines[:-4]) + lines[-4][:50])
    assert main(["resume", "a"]) == 0
    assert stored(Path("a")) == before and journal.read_bytes().count(b"\n") == len(lines)


def test_any_storage_of_optunas_holds_the_study(capsys: pytest.CaptureFixture[str]) -> None:
    url = "search.storage=sqlite:///study.db"
    assert main(["-m", *SEARCH, url, "hydra.sweep.dir=a"]) == 0
    assert main(["-m", *SEARCH, "hydra.sweep.dir=b"]) == 0
    study = optuna.load_study(study_name="a", storage="sqlite:///study.db")
    assert [(t.number, t.state, t.params, t.values, t.intermediate_values) for t in study.trials] == stored(Path("b"))
    assert not Path("a/study.journal").exists()
    assert main(["resume", "a"]) == 0
    assert len(study.get_trials()) == 22
    capsys.readouterr()
    Path("a").rename("c")
    assert main(["-m", *SEARCH, url, "hydra.sweep.dir=a"]) == 2
    assert "there is a study a in it already" in capsys.readouterr().err
