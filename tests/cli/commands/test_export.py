"""`experiments export`: the files that are asked for, and mistakes in one line."""

import sys
from pathlib import Path

import onnxruntime
import pytest

from experiments import load_run, run
from experiments.__main__ import main
from tests.support.exported import QUICK


def test_both_files_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    run(*QUICK)
    assert main(["export", "last", "--onnx", "crops.onnx", "--card", "crops.md"]) == 0
    assert capsys.readouterr().out == "model: crops.onnx\ncard: crops.md\n"
    rows = load_run("last").predict([[75.0, 63.0, 44.0]])
    found = onnxruntime.InferenceSession("crops.onnx").run(None, {"rows": [[75.0, 63.0, 44.0]]})[0]
    assert found == pytest.approx(rows, rel=1e-9)
    assert Path("crops.md").read_text() == load_run("last").card()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to write"),
        (["--card", "nowhere/card.md"], "--card nowhere/card.md: can't be written"),
        (["--onnx", "nowhere/m.onnx"], "--onnx nowhere/m.onnx: can't be written"),
    ],
)
def test_mistakes_are_one_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(*QUICK)
    assert main(["export", "last", *words]) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_without_the_extra_the_line_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(*QUICK)
    for name in [name for name in sys.modules if name.partition(".")[0] == "onnxscript"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert main(["export", "last", "--onnx", "m.onnx"]) == 2
    assert "pip install 'experiments[onnx]'" in capsys.readouterr().err
