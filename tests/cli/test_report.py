"""Progress while a run works: quiet in a pipe, a bar on a terminal."""

import pytest

from experiments.cli.report import Display
from experiments.learning.evaluation import Evaluation
from tests.conftest import Configured


def test_display_is_quiet_in_a_pipe(configured: Configured, capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        display.begin(configured())
        display.watch(Evaluation(1, 3, 1e-5, 1.0, None))
        display.watch(None)
    assert capsys.readouterr().out == ""


def test_display_shows_progress_on_a_terminal(
    configured: Configured, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    with Display() as display:
        display.begin(configured(epochs=7))
        display.watch(Evaluation(1, 3, 1e-5, 12.5, None))
    assert "training" in (out := capsys.readouterr().out) and "1/7" in out and "loss 12.5" in out
