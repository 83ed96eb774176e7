"""What jobs that differ only by literals (`seed=3`, `optimizer.lr=0.1`) share: one config, and the texts made of it.

Hydra composes the config once. Each text that a job's folder needs is written once, with marks where the literals
go, and filled for each job.
"""

import copy
import hashlib
import json
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import orjson
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.config.composition import plain
from experiments.config.coupled import COUPLED
from experiments.config.schema import UNHASHED, Config
from experiments.config.validation import hash_text, plain_config, validate, validate_leaf
from experiments.sweeps.compose.hydra_part import HydraPart
from experiments.sweeps.compose.text_template import TextTemplate, mark

MOST_LEAVES = 100_000
"""Values that are remembered as valid."""


class UnknownKey(Exception):
    """A literal for a key that the config does not have; Hydra's own words for it tell more."""


class ConfigTemplate:
    """The config of all jobs that have the same structure, and literals for the same keys."""

    def __init__(self, composed: DictConfig, paths: tuple[str, ...]) -> None:
        """`composed` is the config of one such job without its literals, `paths` their keys. Raises UnknownKey."""
        self.paths = paths
        self.position = {path: at for at, path in enumerate(paths)}
        self.hydra = HydraPart(composed)
        self.special = self.hydra.special
        task = copy.copy(composed)
        with read_write(task), open_dict(task):
            del task["hydra"]
        self._raw: Any = OmegaConf.to_container(task, resolve=False)
        self._plain = plain(task)
        for path in paths:
            parent, name = _parent(self._plain, path)
            if not isinstance(parent, dict) or name not in parent:
                raise UnknownKey
        self.simple = self._raw == OmegaConf.to_container(task, resolve=True) and all(p.count(".") < 2 for p in paths)
        """Whether nothing in the config refers to something else, so that a literal changes one key."""
        self.cache: dict[str, Any] = {}
        """What others work out once for all jobs of the template."""
        self._first: tuple[Any, ...] = ()
        self._valid: dict[tuple, Config] = {}
        self._leaves: dict[tuple, Any] = {}

    def __getstate__(self) -> dict[str, Any]:
        """What a worker elsewhere needs: the texts and the plain config, not what was checked on the way to them."""
        made = {"config_yaml": self.config_yaml, "config_json": self.config_json, "normal": self.normal}
        return {**self.__dict__, **made, "_raw": None, "_valid": {}, "_leaves": {}, "cache": {}}

    def typed(self, values: tuple[Any, ...]) -> tuple[Config, tuple[Any, ...]]:
        """A valid config that many jobs of the template share, and this job's literals as the schema takes them.

        The config has the job's own values only of the keys in COUPLED, whose validity depends on each other: of
        numbers among them whether they are zero. For all others look at the literals. Raises UserError.
        """
        coupled = tuple(
            (p, bool(v) if isinstance(v, int | float) and not p.startswith("data.") else v)
            for p, v in zip(self.paths, values, strict=True)
            if p in COUPLED or v == "auto"
        )
        if (config := self._valid.get(coupled)) is None:
            config = self._valid[coupled] = validate(self.patched(values))
        self._first = self._first or values
        taken = []
        for path, value in zip(self.paths, values, strict=True):
            at = (path, repr(value))  # 1, 1.0 and true are equal, and 0.0 and -0.0
            if at not in self._leaves:
                if len(self._leaves) >= MOST_LEAVES:
                    self._leaves.clear()
                self._leaves[at] = validate_leaf(self._plain, path, value)
            taken.append(self._leaves[at])
        return config, tuple(taken)

    def patched(self, values: Sequence[Any]) -> dict[str, Any]:
        """The plain config with these literals."""
        return self._with(self._plain, values)

    def _with(self, content: dict[str, Any], values: Sequence[Any]) -> dict[str, Any]:
        content = {k: copy.deepcopy(v) if isinstance(v, dict) else v for k, v in content.items()}
        for path, value in zip(self.paths, values, strict=True):
            parent, name = _parent(content, path)
            parent[name] = value
        return content

    def _marked(self, content: dict[str, Any]) -> dict[str, Any]:
        return self._with(content, [mark(i) for i in range(len(self.paths))])

    @cached_property
    def normal(self) -> dict[str, Any]:
        """The config in its JSON form, every default in it, with the literals of the first job."""
        return plain_config(validate(self.patched(self._first)))

    @cached_property
    def config_yaml(self) -> TextTemplate:
        """.hydra/config.yaml: marks for the literals as YAML."""
        return TextTemplate(OmegaConf.to_yaml(OmegaConf.create(self._marked(self._raw))), len(self.paths))

    @cached_property
    def config_json(self) -> TextTemplate:
        """config.json: marks for the literals as JSON, then for the hash."""
        content = {**self._marked(self.normal), "config_hash": mark(len(self.paths))}
        text = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
        return TextTemplate(text, len(self.paths) + 1, quoted=True)

    @cached_property
    def _hashed(self) -> TextTemplate:
        content = {k: v for k, v in self._marked(self.normal).items() if k not in UNHASHED}
        return TextTemplate(hash_text(content), len(self.paths), quoted=True)

    def hash(self, values: Sequence[Any]) -> str:
        """The hash of the config with these literals, equal to `validation.config_hash` of its plain form."""
        text = self._hashed.fill([repr(v) if type(v) is float else json.dumps(v) for v in values])  # as json writes it
        return hashlib.sha256(text.encode()).hexdigest()[:16]


class FixedConfig:
    """Stands for a template where there is one job, a stored run's, which trains as a pack of one."""

    paths: tuple[str, ...] = ()
    special: str | None = None
    simple = True

    def __init__(self, config: Config) -> None:
        self.normal = plain_config(config)
        self.position: dict[str, int] = {}
        self.cache: dict[str, Any] = {}

    def patched(self, values: Sequence[Any]) -> dict[str, Any]:
        """The plain config; there is nothing to patch."""
        assert not values
        return self.normal


def _parent(content: Any, path: str) -> tuple[Any, str]:
    """The mapping that holds the key at a dotted path, None where there is none, and the key."""
    *sections, name = path.split(".")
    for section in sections:
        content = content.get(section) if isinstance(content, dict) else None
    return content, name
