"""Engines that can't be had are refused in one line."""

import re
import sys

import pytest

from experiments.__main__ import main

SWEEP = ["-m", "seed=1,2", "training.epochs=1"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["engine=jobliib"], r"hydra\.launcher\.engine=jobliib: is none of .*did you mean joblib\?"),
        (["engine=joblib", "workers=0"], r"hydra\.launcher\.workers=0: must be at least 1; .*"),
        (["machine=3"], r"hydra\.launcher\.machine: .*"),
    ],
)
def test_settings_that_are_none(given: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SWEEP, *(f"hydra.launcher.{word}" for word in given)]) == 2
    assert re.fullmatch(rf"error: {said}\n", capsys.readouterr().err)


def test_an_engine_that_is_not_installed_is_told_with_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for package, engine in {"joblib.externals": "joblib"}.items():
        monkeypatch.setitem(sys.modules, package, None)
        assert main([*SWEEP, f"hydra.launcher.engine={engine}"]) == 2
        said = rf"error: hydra\.launcher\.engine={engine}: needs {package}; pip install 'experiments\[{engine}\]'\n"
        assert re.fullmatch(said, capsys.readouterr().err)
