"""`--help`: an overview on one screen, every key where it is asked for."""

import pytest

from experiments.__main__ import main
from experiments.cli.help import USUAL, in_colour, text
from experiments.config.schema import GROUPS, SECTIONS, all_keys
from experiments.errors import UserError

EVERY = ["seed", *(f"{place}.{name}" for place in (*SECTIONS, *GROUPS) for name in all_keys(place))]


def named(shown: str) -> list[str]:
    return [line.split()[0] for line in shown.splitlines() if line.startswith("  ") and ("." in line or "seed" in line)]


def test_the_overview_is_a_screen_with_the_usual_keys_and_all_has_every_one() -> None:
    overview = text()
    assert len(overview.splitlines()) <= 40
    assert set(USUAL) <= set(named(overview)) and set(USUAL) < set(EVERY)
    assert "CSV, TSV" in next(line for line in overview.splitlines() if "data.path" in line)
    assert set(EVERY) <= set(named(text(["all"])))
    assert named(text(["--help", "seed=3", "-m"])) == named(overview)


def test_a_group_or_a_section_by_itself() -> None:
    assert named(text(["--help", "optimizer", "sweep"])) == [
        f"{place}.{name}" for place in ("optimizer", "sweep") for name in all_keys(place)
    ]
    assert text(["optimizer"]).startswith("optimizer=sgd | adam | ")
    with pytest.raises(UserError, match=r"--help optimzer: there is no such group; did you mean optimizer\?"):
        text(["optimzer"])


def test_colour_only_adds_to_the_words(capsys: pytest.CaptureFixture[str]) -> None:
    shown = in_colour(text())
    assert shown.replace("\x1b[1m", "").replace("\x1b[36m", "").replace("\x1b[0m", "") == text()
    assert "\x1b[1mGroups (group=choice)\x1b[0m" in shown and "\x1b[36m  optimizer.lr\x1b[0m" in shown
    assert main(["--help"]) == 0
    assert "\x1b" not in capsys.readouterr().out  # which is no terminal
