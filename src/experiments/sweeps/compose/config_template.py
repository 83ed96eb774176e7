"""What the jobs of one structure share: their config composed once, their files' texts dumped once.

Jobs that differ only by literals (`seed=3`, `optimizer.lr=0.1`) share a `ConfigTemplate`: every text that the job's
folder needs is dumped once, with marks where the literals go.
"""

import copy
import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import orjson
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.config.composition import plain
from experiments.config.schema import UNHASHED, Config
from experiments.config.validation import COUPLED, hash_text, plain_config, validate, validate_leaf
from experiments.sweeps.compose.overrides import key_of
from experiments.sweeps.compose.text_template import TextTemplate, mark

NOTE_SWEEP = "note_sweep"
"""The callback of Hydra that is ours, and nothing to the jobs."""


class Structural(Exception):
    """A literal that can't be patched in: the job is composed as a whole."""


class ConfigTemplate:
    """What the jobs of one structure and one set of literal keys have in common."""

    def __init__(self, composed: DictConfig, paths: tuple[str, ...]) -> None:
        self.paths = paths
        hydra = composed.hydra
        self.whole = copy.deepcopy(composed) if names_folders(hydra) else None
        """The config with Hydra's own part, where that names the folders of jobs."""
        task = copy.copy(composed)
        with read_write(task), open_dict(task):
            del task["hydra"]
        self.raw: Any = OmegaConf.to_container(task, resolve=False)
        self.plain = plain(task)
        for path in paths:
            parent, name = self._parent(self.plain, path)
            if not isinstance(parent, dict) or name not in parent:
                raise Structural  # Hydra's own words for it
        self.simple = self.raw == OmegaConf.to_container(task, resolve=True) and all(p.count(".") < 2 for p in paths)
        """Whether nothing in the config refers to something else, so that a literal can be patched alone."""
        self.special = _special(hydra)
        self.position = {path: at for at, path in enumerate(paths)}
        self.cache: dict[str, Any] = {}
        """What others work out once for all jobs of the template."""
        self.hydra = hydra
        self._first: tuple[Any, ...] | None = None
        self._valid: dict[tuple, Config] = {}
        self._leaves: dict[tuple, Any] = {}

    def typed(self, values: tuple[Any, ...]) -> tuple[Config, tuple[Any, ...]]:
        """A config that stands for all jobs with these coupled values, and `values` as the schema takes them."""
        coupled = tuple((p, v) for p, v in zip(self.paths, values, strict=True) if p in COUPLED or v == "auto")
        if (config := self._valid.get(coupled)) is None:
            config = self._valid[coupled] = validate(self.patched(values))
        self._first = self._first or values
        taken = []
        for path, value in zip(self.paths, values, strict=True):
            at = (path, repr(value))  # 1, 1.0 and true are equal, and 0.0 and -0.0
            if at not in self._leaves:
                self._leaves[at] = validate_leaf(self.plain, path, value)
            taken.append(self._leaves[at])
        return config, tuple(taken)

    def patched(self, values: Sequence[Any]) -> dict[str, Any]:
        """The plain config with these values at the literal keys."""
        content = {k: dict(v) if isinstance(v, dict) else v for k, v in self.plain.items()}
        for path, value in zip(self.paths, values, strict=True):
            parent, name = self._parent(content, path)
            parent[name] = value
        return content

    @staticmethod
    def _parent(content: Any, path: str) -> tuple[Any, str]:
        *sections, name = path.split(".")
        for section in sections:
            content = content.get(section) if isinstance(content, dict) else None
        return content, name

    def _marked(self, content: dict[str, Any]) -> dict[str, Any]:
        content = copy.deepcopy(content)
        for i, path in enumerate(self.paths):
            parent, name = self._parent(content, path)
            parent[name] = mark(i)
        return content

    @cached_property
    def config_yaml(self) -> TextTemplate:
        """.hydra/config.yaml, to be filled with the values as YAML."""
        return TextTemplate(OmegaConf.to_yaml(OmegaConf.create(self._marked(self.raw))), len(self.paths))

    @cached_property
    def hydra_yaml(self) -> TextTemplate:
        """.hydra/hydra.yaml: marks for the overrides, the sorted overrides in one word, number, and folder."""
        node: Any = OmegaConf.to_container(self.hydra, resolve=False)
        node["overrides"]["task"] = [mark(0)]
        node["job"] |= {"override_dirname": mark(1), "id": mark(2), "num": mark(3)}
        node["runtime"]["output_dir"] = mark(4)
        return TextTemplate(
            OmegaConf.to_yaml(OmegaConf.create({"hydra": node})).replace(f"    - {mark(0)}\n", mark(0)), 5
        )

    def override_dirname(self, overrides: Sequence[str]) -> str:
        """A job's overrides in one word, by Hydra's rule for `hydra.job.override_dirname`."""
        between, equals, left_out = self._dirname
        kept = sorted(o for o in overrides if key_of(o) not in left_out)
        return between.join(kept).replace("=", equals)

    @cached_property
    def _dirname(self) -> tuple[str, str, set[str]]:
        rule = self.hydra.job.config.override_dirname
        return rule.item_sep, rule.kv_sep, set(rule.exclude_keys)

    def subdir(self, number: int, overrides: Sequence[str], values: Sequence[Any]) -> str:
        """`hydra.sweep.subdir` of a job; `${hydra:...}`, `${hydra.job.num}` and keys of the config are its own."""
        config = self.whole
        assert config is not None
        with read_write(config), open_dict(config):
            for path, value in zip(self.paths, values, strict=True):
                OmegaConf.update(config, path, value)
            config.hydra.job.num, config.hydra.job.id = number, str(number)
            config.hydra.job.override_dirname = self.override_dirname(overrides)
            config.hydra.overrides.task = list(overrides)
        singleton: Any = HydraConfig.instance()
        before, singleton.cfg = singleton.cfg, config
        try:
            return str(config.hydra.sweep.subdir)
        finally:
            singleton.cfg = before

    @cached_property
    def normal(self) -> dict[str, Any]:
        """The config in its JSON form, every default in it."""
        assert self._first is not None or not self.paths
        return plain_config(validate(self.patched(self._first or ())))

    @cached_property
    def flat(self) -> dict[str, Any]:
        """`normal` by dotted keys."""
        return by_dotted_keys(self.normal)

    @cached_property
    def config_json(self) -> TextTemplate:
        """config.json: marks for the values, then for the hash."""
        content = {**self._marked(self.normal), "config_hash": mark(len(self.paths))}
        text = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
        return TextTemplate(text, len(self.paths) + 1, quoted=True)

    @cached_property
    def hashed(self) -> TextTemplate:
        """The text that the config's hash is taken of."""
        content = {k: v for k, v in self._marked(self.normal).items() if k not in UNHASHED}
        return TextTemplate(hash_text(content), len(self.paths), quoted=True)

    def hash(self, values: Sequence[Any]) -> str:
        """The hash of a job's config, equal to `validation.config_hash` of its plain form."""
        text = self.hashed.fill([json.dumps(v) for v in values])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class FixedConfig:
    """The form of one job whose config is there already: a stored run's, which trains as a stack of one."""

    paths: tuple[str, ...] = ()
    special: str | None = None
    simple = True

    def __init__(self, config: Config) -> None:
        self.normal = plain_config(config)
        self.flat = by_dotted_keys(self.normal)
        self.position: dict[str, int] = {}
        self.cache: dict[str, Any] = {}

    def patched(self, values: Sequence[Any]) -> dict[str, Any]:
        """The plain config; there is nothing to patch."""
        assert not values
        return self.normal


def by_dotted_keys(plain: dict[str, Any]) -> dict[str, Any]:
    """A plain config with `section.key` beside its sections."""
    nested = {k: v for k, v in plain.items() if isinstance(v, dict)}
    return {**plain, **{f"{k}.{name}": v for k, node in nested.items() for name, v in node.items()}}


def names_folders(hydra: DictConfig) -> bool:
    """Whether `hydra.sweep.subdir` is another than that of conf/config.yaml."""
    sweep: Any = OmegaConf.to_container(hydra.sweep, resolve=False)
    return sweep["subdir"] != "${job_name:}"


def _special(hydra: DictConfig) -> str | None:
    """Why Hydra itself has to run these jobs, if it has to."""
    if set(hydra.callbacks) - {NOTE_SWEEP}:
        return "hydra.callbacks are set"
    if hydra.job.chdir:
        return "hydra.job.chdir is set"
    if hydra.job.env_set:
        return "hydra.job.env_set is set"
    if hydra.output_subdir != ".hydra":
        return "hydra.output_subdir is changed"
    return None
