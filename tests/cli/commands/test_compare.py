"""experiments compare: on a terminal, in a pipe, into files; one line for every mistake; no torch."""

import os
import subprocess
import sys
from pathlib import Path

import orjson
import polars as pl
import pytest

import experiments
from benchmarks.stored_runs import write_run, write_runs
from experiments.__main__ import main
from tests.support.terminal import on_terminal

Capture = pytest.CaptureFixture[str]
PER_TARGET = ["r2.apples", "r2.oranges", "rmse.apples", "rmse.oranges"]
HEAD = ["status", "train_loss", "gap", "gap_relative", *PER_TARGET, "seconds"]


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Twenty jobs of a sweep: ten rates, two seeds."""
    write_runs(tmp_path / "outputs", 20, epochs=2)
    return tmp_path / "outputs"


def gaps(runs: Path) -> dict[str, float]:
    """What result.json says, by the name of the run."""
    files = runs.rglob("result.json")
    return {f.parent.name: orjson.loads(f.read_bytes())["metrics"]["gap"] for f in files}


def test_in_a_pipe_it_is_tab_separated_best_first(runs: Path, capsys: Capture) -> None:
    assert main(["compare", str(runs)]) == 0
    said = capsys.readouterr()
    head, *rows = [line.split("\t") for line in said.out.splitlines()]
    assert head == ["run", "optimizer.lr", "seed", *HEAD]
    written = gaps(runs)
    assert [row[0] for row in rows] == sorted(written, key=lambda name: written[name])
    assert all(float(row[5]) == pytest.approx(written[row[0]], rel=1e-5) for row in rows)
    assert said.err == ""


def test_without_a_folder_it_takes_outputs(runs: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(runs.parent)
    assert main(["compare", "--top", "3", "--columns", "run,gap"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    monkeypatch.chdir(runs)
    assert main(["compare"]) == 2
    assert capsys.readouterr().err == "error: outputs: there is no such folder here; name the folder with the runs\n"


def test_sorted_filtered_and_cut(runs: Path, capsys: Capture) -> None:
    line = ["compare", str(runs), "--where", "seed = 1", "--sort", "lr", "--reverse", "--top", "2"]
    assert main([*line, "--columns", "lr,seed"]) == 0
    table = [list(map(float, row.split("\t"))) for row in capsys.readouterr().out.splitlines()[1:]]
    assert table == [[pytest.approx(1e-5 * 1.3**9, rel=1e-5), 1], [pytest.approx(1e-5 * 1.3**8, rel=1e-5), 1]]


def test_files_hold_the_same_table(runs: Path, capsys: Capture) -> None:
    files = {kind: f"table.{kind}" for kind in ("csv", "parquet", "json")}
    line = ["compare", str(runs), "--top", "5"]
    assert main([*line, *(word for kind, file in files.items() for word in (f"--{kind}", file))]) == 0
    assert capsys.readouterr().out.splitlines() == [f"5 rows: {file}" for file in files.values()]
    parquet = pl.read_parquet(files["parquet"])
    assert parquet.equals(pl.read_csv(files["csv"]))
    assert parquet.rows(named=True) == orjson.loads(Path(files["json"]).read_bytes())
    written = gaps(runs)
    assert parquet["gap"].to_list() == sorted(written.values())[:5]  # to the last digit
    assert {p.name for p in Path().iterdir()} == {"outputs", *files.values()}


def test_grouped_and_sorted_by_a_statistic(runs: Path, capsys: Capture) -> None:
    line = ["compare", str(runs), "--group-by", "lr", "--sort", "gap mean", "--csv", "grouped.csv", "--top", "3"]
    assert main(line) == 0
    table = pl.read_csv("grouped.csv")
    assert table.columns[:3] == ["lr", "runs", "diverged"]
    means = table["gap mean"].to_list()
    assert len(means) == 3 and means == sorted(means)
    assert main([*line[:5], "gap", *line[6:]]) == 0
    assert pl.read_csv("grouped.csv").equals(table)
    assert main(["compare", str(runs), "--group-by", "lr", "--reverse", "--csv", "grouped.csv"]) == 0
    assert pl.read_csv("grouped.csv")["lr"].is_sorted(descending=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sort", "gpa"], "gpa: there is no such column; did you mean gap?"),
        (["--sorts", "gap"], "no such flag; did you mean --sort?"),
        (["--top", "-1"], "--top -1: must be at least 0"),
        (["--top", "many"], "invalid int value: 'many'"),
        (["--where", "gap < "], "write an SQL condition"),
        (["--where", "gap < -1"], "holds for none of the 20 runs"),
        (["--group-by", "lrr"], "lrr: there is no such column; did you mean lr?"),
        (["--against", "lr=1e-5", "--band", "sem"], "goes with neither --group-by nor --band"),
        (["--statistic", "median"], "It goes with --against, --group-by or --band"),
        (["--band", "stdev"], "invalid choice: 'stdev'"),
        (["--csv", "table.txt"], "must end in .csv"),
        (["--csv", "nosuch/table.csv"], "nosuch/table.csv: can't be written (No such file or directory)"),
        (["--columns", "gapp"], "did you mean gap?"),
        (["nosuch"], "nosuch: there is no such folder"),
    ],
)
def test_mistakes_are_one_line(runs: Path, words: list[str], said: str, capsys: Capture) -> None:
    assert main(["compare", str(runs), *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1 and said in captured.err
    assert captured.out == ""


def test_on_a_terminal_the_metrics_fit_and_what_does_not_is_named(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status, wide = on_terminal(["compare", str(runs), "--top", "3"], monkeypatch, width=160)
    assert status == 0 and "too wide" not in wide
    head = wide.splitlines()[0].split()
    assert head == ["run", "lr", "seed", *HEAD]
    status, narrow = on_terminal(["compare", str(runs), "--top", "3"], monkeypatch, width=60)
    assert status == 0 and all(len(line) <= 60 for line in narrow.splitlines())
    assert "gap" in narrow.splitlines()[0] and "too wide to show: " in narrow


def test_a_long_table_is_cut_on_a_terminal_and_not_in_a_pipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    write_runs(tmp_path, 60, epochs=1)
    status, shown = on_terminal(["compare", str(tmp_path)], monkeypatch)
    assert status == 0 and "10 more; --top 0 shows all 60" in shown
    status, shown = on_terminal(["compare", str(tmp_path), "--top", "0"], monkeypatch)
    assert status == 0 and shown.count("completed") == 60
    assert main(["compare", str(tmp_path)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 61


def test_names_are_shown_harmless(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    evil = "a\x1b]0;owned\x07\u202e[red]<b>"
    write_run(tmp_path / evil, 1e-5, 0, epochs=1, targets=[evil, "oranges"])
    write_run(tmp_path / "b", 2e-5, 0, epochs=1)
    write_run(tmp_path / "c\nd", 3e-5, 0, epochs=1)
    _, shown = on_terminal(["compare", str(tmp_path)], monkeypatch, width=160)
    assert main(["compare", str(tmp_path)]) == 0
    assert main(["compare", str(tmp_path), "--columns", "help"]) == 0
    piped = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\u202e"} & set(shown + piped)
    assert "[red]<b>" in shown  # rich's markup is not obeyed
    assert "c d\t" in piped


NO_TORCH = """
import contextlib, io, sys
from experiments.__main__ import main
for words in ([], ["--group-by", "lr"], ["--where", "gap < 1000000000", "--csv", "a.csv"]):
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["compare", sys.argv[1], *words]) == 0
from experiments import compare, load_run
assert compare(sys.argv[1]).height == 20
assert not {"torch", "hydra", "omegaconf", "tensorboard", "matplotlib", "bokeh"} & sys.modules.keys()
"""


def test_comparing_imports_no_torch(runs: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(experiments.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", NO_TORCH, str(runs)], capture_output=True, text=True, env=environment, timeout=60
    )
    assert done.returncode == 0, done.stderr
