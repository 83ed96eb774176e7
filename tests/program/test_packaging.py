"""Where conf/ is found, in a checkout and in a wheel; and that the wheel is told to carry it."""

import tomllib
from pathlib import Path

import pytest

from experiments.config import paths
from experiments.config.schema import GROUPS

ROOT = Path(__file__).resolve().parents[2]


def test_a_checkout_has_its_own_conf() -> None:
    assert paths.config_folder() == ROOT / "conf"
    assert {"experiment", *GROUPS} == {path.name for path in (ROOT / "conf").iterdir() if path.is_dir()}


def test_an_installed_wheel_has_its_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site-packages/experiments"
    package.mkdir(parents=True)
    monkeypatch.setattr(paths, "__file__", str(package / "config" / "paths.py"))
    assert paths.config_folder() == package / "conf"
    (tmp_path / "conf").mkdir()  # a folder of that name beside site-packages, but none of ours
    assert paths.config_folder() == package / "conf"


def test_the_wheel_carries_conf_beside_the_package_and_the_script() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"conf": "experiments/conf"} and "src/experiments" in wheel["packages"]
    assert project["project"]["scripts"] == {"experiments": "experiments.__main__:entry"}
    assert project["project"]["requires-python"] == ">=3.11,<3.14"
