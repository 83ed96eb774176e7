"""Folders among the runs that are not what they should be: each is said in one line, and the others are compared."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from benchmarks.stored_runs import write_run
from experiments.__main__ import main
from experiments.comparison.runs_table import collect

Build = Callable[[Path], object]
LEFT_OUT, SHOWN = False, True


def emptied(folder: Path) -> None:
    for file in folder.iterdir():
        file.unlink()


def without(*names: str) -> Build:
    return lambda folder: [(folder / name).unlink() for name in names]


def with_text(name: str, text: str) -> Build:
    return lambda folder: (folder / name).write_text(text)


def result(change: Callable[[dict[str, Any]], object]) -> Build:
    """A result.json changed by hand, written as Python's json writes it: NaN stays NaN."""

    def build(folder: Path) -> None:
        content = orjson.loads((folder / "result.json").read_bytes())
        change(content)
        (folder / "result.json").write_text(json.dumps(content))

    return build


def foreign(folder: Path) -> None:
    emptied(folder)
    (folder / "events.out.tfevents.1700000000.host").write_bytes(b"\0" * 9)


def cut_in_its_first_line(folder: Path) -> None:
    (folder / "result.json").unlink()
    (folder / "metrics.jsonl").write_text('{"epoch": 1, "lo')


def half(folder: Path) -> None:
    content = (folder / "result.json").read_bytes()
    (folder / "result.json").write_bytes(content[: len(content) // 2])


CASES: dict[str, tuple[Build, str, bool]] = {
    "half-written result": (half, "result.json is not whole or not JSON", LEFT_OUT),
    "empty result": (with_text("result.json", ""), "result.json is not whole or not JSON", LEFT_OUT),
    "result no object": (with_text("result.json", "[1]"), "result.json holds no object", LEFT_OUT),
    "NaN": (result(lambda r: r["metrics"].update(gap=float("nan"))), "result.json is not whole or not JSON", LEFT_OUT),
    "status of another": (result(lambda r: r.update(status="done")), "status is done; must be one of", LEFT_OUT),
    "no status": (result(lambda r: r.pop("status")), "status is None; must be one of", LEFT_OUT),
    "no metrics": (result(lambda r: r.pop("metrics")), "metrics is missing", LEFT_OUT),
    "no timing": (result(lambda r: r.pop("timing")), "timing is missing", LEFT_OUT),
    "no environment": (result(lambda r: r.update(environment=None)), "environment is missing", LEFT_OUT),
    "gap a text": (result(lambda r: r["metrics"].update(gap="x")), "metrics.gap is 'x', not a number", LEFT_OUT),
    "gap a truth": (result(lambda r: r["metrics"].update(gap=True)), "metrics.gap is 'True', not a number", LEFT_OUT),
    "r2 of texts": (result(lambda r: r["metrics"].update(r2=["a"])), "metrics.r2 is 'a', not a number", LEFT_OUT),
    "seconds a list": (result(lambda r: r["timing"].update(total_seconds=[[1]])), "timing.total_seconds", LEFT_OUT),
    "epochs a text": (result(lambda r: r.update(epochs="many")), "epochs is 'many', not a number", LEFT_OUT),
    "targets a text": (result(lambda r: r.update(targets="apples")), "targets is no list of names", LEFT_OUT),
    "a feature twice": (result(lambda r: r.update(features=["a", "a"])), "features has a name twice", LEFT_OUT),
    "no gap": (result(lambda r: r["metrics"].pop("gap")), "", SHOWN),
    "a key more": (result(lambda r: r.update(mine={"a": [1]})), "", SHOWN),
    "half-written config": (with_text("config.json", '{"model":'), "config.json is not whole or not JSON", LEFT_OUT),
    "no config": (without("config.json"), "has no config.json", LEFT_OUT),
    "foreign event file": (foreign, "an event file of something else", LEFT_OUT),
    "still being written": (without("result.json"), "1 run has no result yet", SHOWN),
    "just begun": (without("result.json", "metrics.jsonl"), "1 run has no result yet", SHOWN),
    "a half-written line": (cut_in_its_first_line, "1 run has no result yet", SHOWN),
    "an empty folder": (emptied, "", LEFT_OUT),
}  # fmt: skip


@pytest.fixture
def others(tmp_path: Path) -> Path:
    """Two good runs."""
    for n in range(2):
        write_run(tmp_path / "runs" / f"good{n}", 0.1 * (n + 1), 0, epochs=2)
    return tmp_path / "runs"


@pytest.mark.parametrize("name", CASES)
def test_said_in_one_line_and_the_others_compared(name: str, others: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build, words, shown = CASES[name]
    build(write_run(others / "bad", 0.5, 0, epochs=2))
    assert main(["compare", str(others), "--columns", "run"]) == 0
    said = capsys.readouterr()
    assert sorted(said.out.split()[1:]) == (["bad"] if shown else []) + ["good0", "good1"]
    notes = said.err.splitlines()
    assert len(notes) == bool(words)
    if words:
        assert notes[0].startswith("note: ") and words in notes[0]
        assert shown or (f"{others}/bad: " in notes[0] and notes[0].endswith("; left out"))


@pytest.mark.parametrize("function", ["scandir", "open"])
def test_a_folder_or_file_without_permission(
    function: str, others: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(others / "bad", 0.5, 0, epochs=2)
    honest: Any = getattr(os, function)

    def denying(path: Any, *rest: Any) -> Any:
        if "bad" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return honest(path, *rest)

    monkeypatch.setattr(os, function, denying)
    assert main(["compare", str(others), "--columns", "run"]) == 0
    said = capsys.readouterr()
    assert sorted(said.out.split()[1:]) == ["good0", "good1"]
    assert said.err == f"note: {others}/bad: can't be read (Permission denied); left out\n"


def test_a_folder_that_goes_while_it_is_read(others: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from experiments.stored import stored_run

    bad, honest = write_run(others / "bad", 0.5, 0, epochs=2), stored_run.run_files.read

    def removing(folder: str, name: str, last: int | None = None) -> bytes:
        if folder.endswith("bad") and (bad / "config.json").exists():
            emptied(bad)
            bad.rmdir()
        return honest(folder, name, last)

    monkeypatch.setattr(stored_run.run_files, "read", removing)
    runs = collect([others])
    assert sorted(runs.table["run"]) == ["good0", "good1"]
    assert runs.notes == [f"{others}/bad: can't be read (No such file or directory); left out"]


def test_many_bad_runs_do_not_drown_what_is_said_of_the_whole_table(
    others: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for n in range(15):
        half(write_run(others / f"bad{n}", 0.5, 0, epochs=2))
    write_run(others / "other", 0.5, 0, epochs=2, environment={"data_hash": "ffff"})
    without("result.json")(write_run(others / "cut", 0.5, 0, epochs=2))
    assert main(["compare", str(others)]) == 0
    notes = capsys.readouterr().err.splitlines()
    assert len(notes) == 11
    assert "no result yet" in notes[1] and "2 groups are kept apart" in notes[0]
    assert notes[-1] == "note: and 7 more that were left out"


def test_nothing_to_compare_is_an_error_that_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "place"
    place.mkdir()
    for said in (": no runs to compare\n", "/0: result.json is not whole", "left out; and 1 more)\n"):
        assert main(["compare", str(place)]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: ") and error.count("\n") == 1 and said in error
        half(write_run(place / str(len(list(place.iterdir()))), 0.5, 0, epochs=1))


ODD: list[Any] = ["\x1b[31mx", None, True, [], {}, [1, "x"], {"a": {"b": [1]}}, -1, 10**25, float("nan"), "x" * 5000]
"""Values of which every key of the two files gets one after the other."""


def paths(content: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The places of all values in a JSON document."""
    inner = list(content.items()) if isinstance(content, dict) else list(enumerate(content))[:1]
    own = [path] if path else []
    return own + [p for k, v in inner for p in (paths(v, (*path, k)) if isinstance(v, dict | list) else [(*path, k)])]


@pytest.mark.parametrize("name", ["config.json", "result.json"])
def test_any_value_in_any_place(name: str, others: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = write_run(others / "bad", 0.5, 0, epochs=2)
    text = (bad / name).read_text()
    for number, path in enumerate(paths(json.loads(text))):
        content = json.loads(text)
        node = content
        for part in path[:-1]:
            node = node[part]
        odd = ODD[number % len(ODD)]
        node[path[-1]] = odd
        (bad / name).write_text(json.dumps(content))
        for words in (
            ["compare", str(others)],
            ["diff", str(others / "good0"), str(bad)],
            ["predict", str(bad), "1,2,3"],
        ):
            status = main(words)
            said = capsys.readouterr()
            assert status == 0 or (status == 2 and words[0] != "compare"), (path, odd, words, said.err)
            assert "Error: " not in said.err and "\x1b" not in said.out + said.err, (path, odd, words)
            assert said.err.count("\n") <= 2, (path, odd, words)
