"""Disks and limits that fail under a sweep: one line, exit status 1, what is finished stays, resuming brings the rest."""
# ruff: noqa: E501

import csv
import multiprocessing
import os
import re
import resource
import shutil
import sys
from pathlib import Path

import pytest
import torch

from experiments import load_run
from experiments.__main__ import main
from experiments.comparison.runs_table import collect
from experiments.sweeps.stacked import packs
from tests.support.killing import ended, forked

SWEPT = ["seed=range(0,4)", "training.batch_size=5,3", "training.epochs=3", "hydra.launcher.workers=2"]


def answered(arguments: list[str], limits: dict[int, int]) -> tuple[int, str]:
    """Exit status and standard error of a command line in a process with these limits."""

    def work() -> None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
        with open("said", "w") as sys.stderr:
            for which, most in limits.items():
                if which == resource.RLIMIT_NOFILE:  # so many more than are open
                    most += (free := os.dup(2))
                    os.close(free)
                resource.setrlimit(which, (most, resource.getrlimit(which)[1]))
            status = main(arguments)
        os._exit(status)

    return ended(forked(work)), Path("said").read_text()


def finished(root: Path) -> list[Path]:
    return [p.parent for p in root.glob("*/result.json")]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside torch's threads
@pytest.mark.parametrize("limits", [{resource.RLIMIT_FSIZE: 1500}, {resource.RLIMIT_NOFILE: 3}])
def test_a_limit_of_the_system_stops_a_sweep_in_one_line(limits: dict[int, int]) -> None:
    torch.set_num_threads(1)
    status, said = answered(["-m", *SWEPT, "hydra.sweep.dir=s"], limits)
    assert status == 1
    assert re.fullmatch(r"error: [^\n]*(ulimit -f|ulimit -n)[^\n]*\n", said), said
    for folder in finished(Path("s")):
        load_run(folder)
    if Path("s/sweep.yaml").exists():
        assert main(["resume", "s"]) == 0
        assert len(finished(Path("s"))) == 8


def test_a_folder_removed_under_a_sweep_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, before = packs.train, multiprocessing.active_children()

    def removed(*parts):
        shutil.rmtree("s", ignore_errors=True)
        return whole(*parts)

    monkeypatch.setattr(packs, "train", removed)
    assert main(["-m", *SWEPT, "hydra.sweep.dir=s"]) == 1
    assert re.fullmatch(r"error: [^\n]*it is not there, or was removed meanwhile[^\n]*\n", capsys.readouterr().err)
    assert multiprocessing.active_children() == before


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_comparing_while_a_sweep_writes_sees_whole_runs_only() -> None:
    torch.set_num_threads(1)
    pid = forked(
        lambda: answered(
            ["-m", "seed=range(0,300)", "training.batch_size=5,3", "training.epochs=5", "hydra.sweep.dir=s"], {}
        )
    )
    seen, under_way = [], True
    while under_way:
        under_way = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        if not list(Path("s").glob("*/config.json")):
            continue
        table = collect(["s"]).table
        done = table.filter(table["status"] == "completed")
        assert done["gap"].is_not_null().all()
        seen.append(done.height)
        if Path("s/results.csv").exists():
            with Path("s/results.csv").open() as file:
                assert all(row["status"] == "completed" and row["config_hash"] for row in csv.DictReader(file))
    assert ended(pid) == 0
    assert seen == sorted(seen) and seen[-1] == 600
