"""Progress while a run works: quiet in a pipe, a bar on a terminal; warnings when it has ended or was interrupted."""

import logging

import pytest

from experiments.__main__ import main
from experiments.cli.report import Display
from experiments.learning.evaluation import Evaluation
from tests.conftest import Configured


def test_display_is_quiet_in_a_pipe(configured: Configured, capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        display.begin(configured())
        display.watch(Evaluation(1, 3, 1e-5, 1.0, None))
        display.watch(None)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("ended", "told"), [(KeyboardInterrupt, "warning: slow\n"), (ValueError, "")])
def test_who_interrupts_sees_what_was_warned_of(
    ended: type[BaseException], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def run() -> None:
        with Display():
            logging.getLogger("experiments").warning("slow")
            raise ended

    with pytest.raises(ended):
        run()
    assert capsys.readouterr().err == told


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
    assert "0:00:00" in out  # the time that goes by shows that a long epoch is alive


def test_a_terminal_has_a_sign_of_life_which_an_error_takes_the_place_of(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    assert main(["optimizer.lr=no"]) == 2
    sign, erased, error = capsys.readouterr().err.partition("\r\x1b[2K")
    assert sign == "composing the config ..." and erased and error.startswith("error: optimizer.lr=no")


@pytest.mark.parametrize("words", [["--cfg", "job"], ["-m", "seed=1,2", "sweep.dry_run=true"], ["training.epochs=1"]])
def test_what_shows_no_bar_has_no_line_to_be_taken_away(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last is a run whose output is a file: it has no bar, while a sweep's would be on the terminal still."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(words) == 0
    assert "composing" not in capsys.readouterr().err
