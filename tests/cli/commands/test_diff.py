"""experiments diff: side by side, what differs marked; what is not there or not right in one line."""

from pathlib import Path

import orjson
import pytest

from benchmarks.stored_runs import write_run
from experiments.__main__ import main
from tests.support.terminal import on_terminal

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def two(tmp_path: Path) -> list[str]:
    """Runs that differ in rate and in numbers, below outputs/."""
    write_run(tmp_path / "outputs/runs/first", 1e-5, 0, epochs=2)
    write_run(tmp_path / "outputs/runs/second", 1e-4, 0, epochs=2)
    return ["first", "second"]


def test_in_a_pipe_what_differs_is_marked(two: list[str], capsys: Capture) -> None:
    assert main(["diff", *two]) == 0
    said = capsys.readouterr()
    head, *rows = [line.split("\t") for line in said.out.splitlines()]
    assert head == ["section", "", "key", "first", "second"]
    by_key = {(row[0], row[2]): row for row in rows}
    assert by_key["config", "optimizer.lr"] == ["config", "*", "optimizer.lr", "1e-05", "0.0001"]
    assert by_key["config", "seed"] == ["config", "", "seed", "0", "0"]
    assert by_key["result", "gap"][1] == "*"
    assert by_key["environment", "versions.torch"] == ["environment", "", "versions.torch", "2.13.0", "2.13.0"]
    assert said.err == ""
    assert main(["diff", *two, "--changed"]) == 0
    changed = [line.split("\t") for line in capsys.readouterr().out.splitlines()[1:]]
    assert changed == [row for row in rows if row[1] == "*"]


def test_on_a_terminal_sections_say_how_much_differs(two: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    status, shown = on_terminal(["diff", *two, "--changed"], monkeypatch, width=100)
    assert status == 0
    assert "config: 1 of " in shown and "environment: 0 of " in shown
    assert any(line.split() == ["*", "optimizer.lr", "1e-05", "0.0001"] for line in shown.splitlines())


def test_a_run_with_itself_does_not_differ(two: list[str], capsys: Capture) -> None:
    assert main(["diff", "first", "first", "--changed"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_a_changed_config_and_a_missing_result_are_said(two: list[str], tmp_path: Path, capsys: Capture) -> None:
    folder = tmp_path / "outputs/runs/second"
    config = orjson.loads((folder / "config.json").read_bytes())
    (folder / "config.json").write_bytes(orjson.dumps(config | {"seed": 5}))
    (folder / "result.json").unlink()
    assert main(["diff", *two]) == 0
    said = capsys.readouterr()
    assert said.err == "note: outputs/runs/second: config.json was changed after the run began\n"
    assert "result\t*\tstatus\tcompleted\tunfinished" in said.out
    assert "environment\t*" not in said.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["first"], "the following arguments are required: RUN"),
        (["first", "secnd"], "secnd: no run below outputs/ is called so; did you mean second?"),
        (["first", "second", "third"], "diff: third: one argument too many; see experiments diff --help"),
        (["first", "second", "--change"], "--change: no such flag; did you mean --changed?"),
        (["first", "bad"], "bad: result.json is not whole or not JSON"),
    ],
)
def test_mistakes_are_one_line(two: list[str], words: list[str], said: str, tmp_path: Path, capsys: Capture) -> None:
    (write_run(tmp_path / "outputs/runs/bad", 1e-5, 0, epochs=2) / "result.json").write_text("{")
    assert main(["diff", *words]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith("error: ") and captured.err.count("\n") == 1 and said in captured.err
    assert captured.out == ""
