"""From overrides to the typed config, as Hydra composes it; nothing is run or written."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf

from experiments.config import folder_names
from experiments.config.explain import explain
from experiments.config.flags import check_flags
from experiments.config.paths import config_folder
from experiments.config.quoting import quoted
from experiments.config.schema import Config
from experiments.config.validation import validate
from experiments.errors import UserError


def compose(arguments: Sequence[str]) -> Config:
    """The typed config of a command line of overrides (and --config-dir), composed but not run. Raises UserError."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd")
    parser.add_argument("overrides", nargs="*")
    check_flags(arguments)
    found, unknown = parser.parse_known_intermixed_args(list(arguments))
    if unknown:
        raise UserError(f"{unknown[0]}: only overrides and --config-dir go here")
    overrides = [quoted(word) for word in found.overrides]
    if found.config_dir:
        overrides.append(f"hydra.searchpath=[file://{Path(found.config_dir).resolve()}]")
    register_resolvers()
    try:
        with own_hydra(), hydra.initialize_config_dir(str(config_folder()), version_base="1.3"):
            return validate(plain(hydra.compose("config", overrides)))
    except Exception as error:
        explained = explain(error)
        if explained is None:
            raise
        raise explained from error


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


@contextmanager
def own_hydra() -> Iterator[None]:
    """Leave a notebook's own initialised Hydra as it was."""
    others = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        yield
    finally:
        GlobalHydra.instance().hydra = others
