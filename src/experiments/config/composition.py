"""From overrides to the typed config, as Hydra composes it; nothing is run or written."""

import os
from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from experiments.config import command_line, folder_names
from experiments.config.explain import explained
from experiments.config.paths import config_folder
from experiments.config.schema import Config
from experiments.config.validation import validate
from experiments.errors import UserError


def compose(arguments: Sequence[str]) -> Config:
    """The typed config of a command line of overrides (and --config-dir), composed but not run. Raises UserError."""
    asked = command_line.read(arguments)
    for flag, value in vars(asked).items():
        if value and flag not in ("overrides", "config_dir"):
            raise UserError(f"--{flag.replace('_', '-')}: only overrides and --config-dir go here")
    with hydra_for(asked):
        return validate(plain(hydra.compose("config", asked.overrides)))


@contextmanager
def hydra_for(asked: Namespace) -> Iterator[Any]:
    """Hydra with our config folder and that of --config-dir, which joins the overrides of `asked`.

    What Hydra refuses inside is raised as UserError. A notebook's own initialised Hydra is left as it was.
    """
    if asked.config_dir is not None:
        asked.overrides.append(f"hydra.searchpath=['file://{Path(asked.config_dir).resolve()}']")
    register_resolvers()
    others, folder = GlobalHydra.instance().hydra, os.path.abspath(asked.config_path or config_folder())
    GlobalHydra.instance().clear()
    try:
        with explained(), hydra.initialize_config_dir(folder, job_name="experiments", version_base="1.3"):
            yield GlobalHydra.instance().hydra
    finally:
        GlobalHydra.instance().hydra = others


def plain(composed: DictConfig) -> dict[str, Any]:
    """The composed config as plain Python, interpolations resolved and the paths in it absolute."""
    content = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(content, dict)
    return {str(k): v for k, v in content.items()}


def register_resolvers() -> None:
    """The names of folders in conf/config.yaml: one per composition, whoever asks, however often."""
    for name, resolver, cached in (
        ("run_name", folder_names.run_name, True),
        ("sweep_name", folder_names.stamp, True),
        ("job_name", _job_name, False),
    ):
        OmegaConf.register_new_resolver(name, resolver, use_cache=cached, replace=True)


def _job_name(*, _root_: DictConfig) -> str:
    return folder_names.job_name(_root_.hydra.job.num, _root_.hydra.overrides.task)
