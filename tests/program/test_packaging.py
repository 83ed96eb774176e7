"""Where conf/ is found, in a checkout and in a wheel; that the wheel is told to carry it, and works by itself."""

import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import hydra
import pytest

import experiments
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


def test_a_wheel_works_without_the_checkout(tmp_path: Path) -> None:
    """Built, installed beside this environment's packages in one of its own, and run from another folder."""
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    venv.create(tmp_path / "env")
    python, script = tmp_path / "env/bin/python", tmp_path / "env/bin/experiments"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True)
    (site,) = (tmp_path / "env/lib").glob("*/site-packages")
    (site / "packages.pth").write_text(f"{Path(hydra.__file__).parents[1]}\n")  # their own .pth files are not followed
    (elsewhere := tmp_path / "elsewhere").mkdir()

    def said(*words: str | Path) -> str:
        done = subprocess.run(words, cwd=elsewhere, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    place, version = said(
        python,
        "-c",
        "import experiments, importlib.metadata as m; print(experiments.__file__, m.version('experiments'))",
    ).split()
    assert Path(place).is_relative_to(site) and (Path(place).parent / "py.typed").exists()
    assert version == experiments.__version__ and said(script, "--version").split()[1] == version
    assert "completed after 2 epochs" in said(script, "training.epochs=2", "tracking.figures=false")
    assert "3 jobs: 3 completed" in said(script, "-m", "seed=0,1,2", "training.epochs=2")
    assert len(said(script, "compare").splitlines()) == 5
