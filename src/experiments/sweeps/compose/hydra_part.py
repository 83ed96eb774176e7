"""Hydra's own part of a job's config: hydra.yaml, `hydra.sweep.subdir`, and settings that only Hydra can honour."""

import copy
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.sweeps.compose.overrides import key_of
from experiments.sweeps.compose.text_template import TextTemplate, mark

NOTE_SWEEP = "note_sweep"
"""The callback of Hydra that is ours, and nothing to the jobs."""


class HydraPart:
    """Hydra's part of the config, as far as the jobs of one template share it."""

    def __init__(self, composed: DictConfig) -> None:
        """`composed` is a job's whole config."""
        self._node: Any = composed.hydra
        self._whole = copy.deepcopy(composed) if names_folders(self._node) else None
        self.special = _special(self._node)
        """Why Hydra itself has to run these jobs, if it has to."""

    def __getstate__(self) -> dict[str, Any]:
        """What a worker elsewhere needs: the texts, not the config that they were made of."""
        return {"special": self.special, "yaml": self.yaml, "dirname": self.dirname, "_node": None, "_whole": None}

    @cached_property
    def yaml(self) -> TextTemplate:
        """.hydra/hydra.yaml: marks for the overrides, the overrides in one word, number twice, and folder."""
        node: Any = OmegaConf.to_container(self._node, resolve=False)
        node["overrides"]["task"] = [mark(0)]
        node["job"] |= {"override_dirname": mark(1), "id": mark(2), "num": mark(3)}
        node["runtime"]["output_dir"] = mark(4)
        text = OmegaConf.to_yaml(OmegaConf.create({"hydra": node}))
        return TextTemplate(text.replace(f"    - {mark(0)}\n", mark(0)), 5)

    @cached_property
    def dirname(self) -> tuple[str, str, list[str]]:
        """How `hydra.job.override_dirname` is made: the text between overrides, that for "=", the keys left out."""
        rule = self._node.job.config.override_dirname
        return rule.item_sep, rule.kv_sep, list(rule.exclude_keys)

    def subdir(self, number: int, overrides: Sequence[str], values: Mapping[str, Any]) -> str | None:
        """`hydra.sweep.subdir` as Hydra resolves it for the job with these values; None where it is left to us."""
        config = self._whole
        if config is None:
            return None
        with read_write(config), open_dict(config):
            for path, value in values.items():
                OmegaConf.update(config, path, value)
            config.hydra.job.num, config.hydra.job.id = number, str(number)
            config.hydra.job.override_dirname = one_word(overrides, self.dirname)
            config.hydra.overrides.task = list(overrides)
        singleton: Any = HydraConfig.instance()  # where ${hydra:...} looks
        before, singleton.cfg = singleton.cfg, config
        try:
            return str(config.hydra.sweep.subdir)
        finally:
            singleton.cfg = before


def one_word(overrides: Sequence[str], rule: Sequence[Any]) -> str:
    """Overrides as `hydra.job.override_dirname` has them; the rule is that of `HydraPart.dirname`."""
    between, equals, left_out = rule
    return between.join(sorted(o for o in overrides if key_of(o) not in left_out)).replace("=", equals)


def names_folders(hydra: DictConfig) -> bool:
    """Whether `hydra.sweep.subdir` is another than that of conf/config.yaml."""
    sweep: Any = OmegaConf.to_container(hydra.sweep, resolve=False)
    return sweep["subdir"] != "${job_name:}"


def _special(hydra: DictConfig) -> str | None:
    if set(hydra.callbacks) - {NOTE_SWEEP}:
        return "hydra.callbacks are set"
    if hydra.job.chdir:
        return "hydra.job.chdir is set"
    if hydra.job.env_set:
        return "hydra.job.env_set is set"
    return "hydra.output_subdir is changed" if hydra.output_subdir != ".hydra" else None
