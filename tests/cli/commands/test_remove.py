"""experiments list and remove: what is kept, how old; what goes, what stays because it runs or was not agreed to."""

import io
import os
import shutil
import sys
import time
from pathlib import Path

import orjson
import pytest

from benchmarks.stored_runs import write_run
from experiments.__main__ import main
from experiments.comparison import kept as keeping
from experiments.stored.folders import Found, everything
from experiments.tracking.lock import SWEEP, hold

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """outputs/ with two single runs, the first of them ten days old, and a sweep of two."""
    outputs = tmp_path / "outputs"
    write_run(outputs / "runs/old", 1e-5, 0, epochs=2)
    write_run(outputs / "runs/new", 1e-4, 0, epochs=2)
    for number, rate in enumerate((1e-5, 1e-4)):
        write_run(outputs / f"sweeps/both/{number}_lr={rate}", rate, 0, epochs=2)
    (outputs / "sweeps/both/sweep.yaml").write_text('{"arguments": []}')
    ten_days_ago = time.time() - 10 * 86_400
    for file in (outputs / "runs/old").rglob("*"):
        os.utime(file, (ten_days_ago, ten_days_ago))
    return outputs


def left(outputs: Path) -> set[str]:
    return {folder.name for folder in outputs.glob("*/*")}


def test_list_has_runs_and_whole_sweeps_with_age_and_size(kept: Path, capsys: Capture) -> None:
    assert main(["list"]) == 0
    head, *rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    by_name = {Path(row[0]).name: dict(zip(head, row, strict=True)) for row in rows}
    assert set(by_name) == {"old", "new", "both"} and Path(rows[-1][0]).name == "old"
    assert (by_name["both"]["jobs"], by_name["both"]["status"]) == ("2", "all ended")
    assert by_name["old"]["status"] == "completed" and float(by_name["old"]["days"]) == pytest.approx(10, abs=0.01)
    size = sum(f.stat().st_size for f in (kept / "sweeps/both").rglob("*") if f.is_file())
    assert float(by_name["both"]["MB"]) == pytest.approx(size / 1e6, abs=6e-4)


@pytest.mark.parametrize(
    ("words", "stay"),
    [
        (["old"], {"new", "both"}),
        (["last", "old"], None),
        (["--older-than", "7d"], {"new", "both"}),
        (["--older-than", "2w"], {"old", "new", "both"}),
        (["--where", "lr < 5e-5"], {"new", "both"}),  # one job of the sweep has another rate: the sweep stays
        (["--where", "lr < 1"], set()),
        (["--where", "lr < 1", "--older-than", "240h"], {"new", "both"}),
        (["outputs/sweeps"], {"old", "new"}),
    ],
)
def test_what_is_named_or_chosen_goes(kept: Path, words: list[str], stay: set[str] | None) -> None:
    assert main(["remove", *words, "--yes"]) == 0
    assert len(left(kept)) == 1 if stay is None else left(kept) == stay


@pytest.mark.parametrize(("answer", "stay"), [("y\n", {"new", "both"}), ("\n", None), ("no\n", None), ("", None)])
def test_it_asks_first(
    kept: Path, answer: str, stay: set[str] | None, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    typed = io.StringIO(answer)
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", typed)
    assert main(["remove", "old"]) == 0
    assert "Remove these 1 for good? [y/N]" in (out := capsys.readouterr().out) and "old" in out
    assert left(kept) == (stay or {"old", "new", "both"})


def test_what_runs_is_left_alone(kept: Path, capsys: Capture) -> None:
    lock = hold(kept / "sweeps/both", SWEEP)
    try:
        assert main(["remove", "outputs", "--yes"]) == 0
    finally:
        lock.release()
    said = capsys.readouterr()
    assert f"left alone: outputs/sweeps/both: running (process {os.getpid()} on" in said.err and left(kept) == {"both"}
    assert main(["list"]) == 0 and "all ended" in capsys.readouterr().out


def test_an_interrupted_removal_is_out_of_sight_and_goes_the_next_time(kept: Path, capsys: Capture) -> None:
    (kept / "runs/old").rename(kept / "runs/.removed_old")
    assert main(["list"]) == 0 and "runs/old" not in capsys.readouterr().out
    assert main(["remove", "new", "--yes"]) == 0 and left(kept) == {"both"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name runs or sweeps, or choose with --where"),
        (["old"], "there is no terminal to ask at; add --yes"),
        (["--older-than", "7"], "--older-than 7: must be a number with m, h, d or w behind it, as 7d"),
        (["--where", "gpa < 1"], "did you mean gap"),
        (["both/0"], "a job of a sweep, which goes as a whole: remove"),
        (["nothing_like_it"], "nothing_like_it"),
    ],
)
def test_a_wrong_request_is_one_line_and_removes_nothing(
    kept: Path, words: list[str], said: str, capsys: Capture
) -> None:
    assert main(["remove", *words]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ") and error.count("\n") == 1 and said in error
    assert left(kept) == {"old", "new", "both"}


def test_a_run_that_is_under_way_or_unreadable_says_so(kept: Path, capsys: Capture) -> None:
    (kept / "runs/old/result.json").unlink()
    (kept / "runs/new/result.json").write_bytes(orjson.dumps([]))
    assert main(["list", "outputs/runs"]) == 0
    assert "unfinished" in (out := capsys.readouterr().out) and "unreadable" in out


def test_what_vanishes_while_it_is_looked_at_is_left_out(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def vanishing(root: str) -> Found:
        found = everything(root)
        shutil.rmtree(kept / "runs/old", ignore_errors=True)
        return found

    monkeypatch.setattr(keeping, "everything", vanishing)
    walk = os.walk
    monkeypatch.setattr(os, "walk", lambda top: ((at, below, [*names, "gone"]) for at, below, names in walk(top)))
    assert main(["list"]) == 0
    out = capsys.readouterr().out
    assert "runs/old" not in out and "runs/new" in out and "both" in out


def test_what_somebody_else_removes_meanwhile_is_not_missed(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    hold, rmtree, raced = keeping.hold, shutil.rmtree, []

    def after_another(folder: Path, name: str) -> object:
        if folder.name == "old":
            rmtree(folder)
        return hold(folder, name)

    def beside_another(place: Path) -> None:
        raced.append(place)
        if len(raced) == 1:  # the other was faster with a part of it
            raise FileNotFoundError(2, "No such file or directory", str(place))
        rmtree(place)

    monkeypatch.setattr(keeping, "hold", after_another)
    monkeypatch.setattr(keeping.shutil, "rmtree", beside_another)
    assert main(["remove", "outputs", "--yes"]) == 0
    assert "removed: 2\n" in capsys.readouterr().out and not left(kept) and len(raced) == 3
