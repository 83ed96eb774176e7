"""What every test starts with: a throw-away current folder, a clean environment, and typed configs without Hydra."""

import dataclasses
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from experiments.config import schema as schema
from experiments.config.schema import Config
from tests.support.browsing import CHROMIUM, DRIVER, Browser, chromium

Configured = Callable[..., Config]


@pytest.fixture(autouse=True)
def throw_away_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Runs land below tmp_path, never in the checkout; no setting of the developer's own shell is seen."""
    monkeypatch.chdir(tmp_path)
    for name in ("EXPERIMENTS_TRUSTED_MODULES", "HYDRA_FULL_ERROR"):
        monkeypatch.delenv(name, raising=False)
    path = list(sys.path)
    yield
    sys.path[:] = path


@pytest.fixture(autouse=True)
def time_to_try_rates(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine tries as many as another before it says what to do about a rate that is too large."""
    monkeypatch.setattr("experiments.running.stable_rate.SECONDS", 60.0)


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """One chromium for all tests that need one; they are skipped where there is none."""
    if CHROMIUM is None or DRIVER is None:
        pytest.skip("no chromium with chromedriver here")
    with chromium(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


@pytest.fixture
def configured() -> Configured:
    """`configured(epochs=3, lr=0.1, model=..., data=...)`: the default run with some keys changed, figures off.

    A keyword is a field of Config, or a key of `training`, of `tracking`, or `lr`, `bias`, `init`, `validation`,
    `standardize`, `dtype`.
    """

    def make(**changes: Any) -> Config:
        parts: dict[str, Any] = {
            "model": schema.Model(), "optimizer": schema.SGD(), "schedule": schema.Constant(), "loss": schema.MSE(),
            "data": schema.Crops(), "device": schema.Device(name="cpu"),
            "tracking": schema.Tracking(figures=False),
        }  # fmt: skip
        fields = {f.name for f in dataclasses.fields(Config)}
        parts |= {name: changes.pop(name) for name in list(changes) if name in fields}
        parts.setdefault("training", schema.Training())
        for part in ("training", "tracking", "optimizer", "model", "data", "device"):
            names = {f.name for f in dataclasses.fields(parts[part])}
            own = {name: changes.pop(name) for name in list(changes) if name in names}
            parts[part] = dataclasses.replace(parts[part], **own)
        assert not changes, changes
        return Config(**parts)

    return make
