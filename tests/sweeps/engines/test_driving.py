"""Parcels, tries and refusals, with workers that live in this process and die when a test says so."""

import os
import pickle
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.__main__ import main
from experiments.sweeps import engine
from experiments.sweeps.engines import driving
from experiments.sweeps.engines.driving import ENDED, Lost, drive
from experiments.sweeps.engines.parcel import Origin, Parcel, work_on
from tests.support.sent_away import SWEPT, bits

Fate = Callable[[Parcel], Lost | None]


class Tame:
    """Workers in this process; `fate` says of each parcel whether its worker is lost, `changed` what arrives there."""

    parts, seconds, processes, workers = 1, 60.0, 1, 2

    def __init__(self, fate: Fate = lambda parcel: None, shared: bool = True, slots: int = 2, **changed: Any) -> None:
        self.fate, self.shared, self.slots, self.changed = fate, shared, slots, changed
        self.sent: list[Parcel] = []
        self.sizes: list[int] = []
        self.cancelled = False

    def run(self, packs: Any, folders: Any, done: Any, crashed: Any, jobs: int) -> None:
        drive(self, packs, folders, done, crashed, jobs)

    def send(self, parcel: Parcel) -> None:
        self.sent.append(parcel)
        self.sizes.append(len(parcel.packs))

    def receive(self) -> Iterator[Any]:
        parcel = self.sent.pop(0)
        if lost := self.fate(parcel):
            yield parcel.number, lost
            return
        with np.errstate(all="ignore"):
            yield parcel.number, pickle.loads(work_on(pickle.dumps(replace(parcel, **self.changed))))
        yield parcel.number, ENDED

    def cancel(self) -> None:
        self.cancelled = True

    def close(self) -> None: ...


@pytest.fixture
def sweep(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """`sweep(workers, folder)` trains SWEPT; the exit status."""

    def begun(workers: Any, folder: str) -> int:
        with monkeypatch.context() as patch:
            patch.setattr("experiments.sweeps.engines.choosing.engine_of", lambda settings: workers)
            return main(["-m", *SWEPT, f"hydra.sweep.dir={folder}"])

    return begun


def test_what_is_sent_back_is_written_as_workers_write_it(sweep: Callable[..., int]) -> None:
    assert sweep(engine.Local(1), "local") == 0
    assert sweep(Tame(), "shared") == 0
    assert sweep(Tame(shared=False), "sent") == 0
    assert bits("shared") == bits("sent") == bits("local")


def test_parcels_that_no_worker_began_lose_no_try_and_those_begun_are_halved(sweep: Callable[..., int]) -> None:
    assert sweep(engine.Local(1), "local") == 0
    lost = [Lost("preempted", begun=False)] * 9 + [Lost("killed")] * 3
    workers = Tame(lambda parcel: lost.pop() if lost else None)
    assert sweep(workers, "lost") == 0
    assert not lost and bits("lost") == bits("local")
    assert "a pack of 4 jobs was cut off" in Path("lost/sweep.log").read_text()


def test_a_job_that_kills_its_workers_fails_by_name_and_the_others_end(
    sweep: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def fate(parcel: Parcel) -> Lost | None:
        numbers = [job.number for pack in parcel.packs for job in pack.jobs]
        return Lost("its node is gone") if 7 in numbers else None

    assert sweep(Tame(fate), "lost") == 1
    said = capsys.readouterr()
    assert said.err.endswith("error: 1 of 12 jobs failed\n") and "failed: job 7 " in said.out


def test_where_every_worker_is_lost_the_sweep_ends(
    sweep: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(driving, "LOSSES", 1)
    workers = Tame(lambda parcel: Lost("no memory"))
    assert sweep(workers, "lost") == 1
    said = capsys.readouterr()
    assert "12 of 12 jobs failed" in said.err and "workers were lost one after another, the last: no memory" in said.out
    assert len(workers.sizes) < 12


def test_packs_are_grouped_by_what_they_took(sweep: Callable[..., int]) -> None:
    workers = Tame(slots=1)
    assert sweep(workers, "grouped") == 0
    assert workers.sizes == [1, 2]


def other_table(parcel: Parcel) -> None:
    object.__setattr__(parcel.packs[0]._of_jobs[0], "digest", "0123")


def test_a_table_that_a_worker_does_not_have_ends_the_sweep_which_can_be_gone_on_with(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "x,y\n" + "".join(f"{i},{2 * i}\n" for i in range(9))
    table = Path("here.csv").resolve()
    table.write_text(content)
    workers = Tame(lambda parcel: table.unlink())
    words = ["data=table", f"data.path={table}", "data.targets=[y]", "training.epochs=2", "seed=1,2"]
    with monkeypatch.context() as patch:
        patch.setattr("experiments.sweeps.engines.choosing.engine_of", lambda settings: workers)
        assert main(["-m", *words, "hydra.sweep.dir=s"]) == 1
    assert re.fullmatch(r"error: worker \S+: data\.path=\S+here\.csv: .*\n", capsys.readouterr().err)
    table.write_text(content)
    assert main(["resume", "s"]) == 0


@pytest.mark.parametrize(
    ("workers", "said"),
    [
        (Tame(root=Path("/nowhere/sweep")), "cannot see the sweep's folder /nowhere/sweep"),
        (Tame(origin=Origin(versions={"torch": "1.0"})), "torch is .* there and 1.0 here"),
        (Tame(other_table), "the table has other values there"),
    ],
)
def test_a_worker_that_differs_ends_the_sweep_which_can_be_gone_on_with(
    workers: Tame, said: str, sweep: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert sweep(workers, "refused") == 1
    assert re.fullmatch(rf"error: worker .*{said}.*\n", capsys.readouterr().err)
    assert workers.cancelled
    assert main(["resume", "refused"]) == 0


def test_a_full_disk_of_a_worker_ends_the_sweep_which_can_be_gone_on_with(
    sweep: Callable[..., int], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28), "metrics.jsonl")

    with monkeypatch.context() as patch:
        patch.setattr("experiments.sweeps.stacked.writing.finish", full)
        assert sweep(Tame(), "full") == 1
    error = capsys.readouterr().err
    assert error.startswith("error: metrics.jsonl (worker ") and "the disk is full" in error and error.count("\n") == 1
    assert main(["resume", "full"]) == 0
