"""From the overrides of thousands of jobs to their configs: one full composition per structure, the rest patched.

Jobs that differ only by literals (`seed=3`, `optimizer.lr=0.1`) share a `Form`: Hydra composes the first of them,
and every text that the job's folder needs is dumped once, with marks where the literals go. A structure that Hydra
refuses is refused once, with the same words for all its jobs.
"""

import copy
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import orjson
from hydra.core.config_loader import ConfigLoader
from omegaconf import DictConfig, OmegaConf, open_dict, read_write

from experiments.composition import plain
from experiments.config import UNHASHED, Config
from experiments.errors import UserError
from experiments.explain import explain
from experiments.sweeps.literals import Literal, literal
from experiments.sweeps.templates import Template, mark, yaml_list, yaml_scalar
from experiments.validation import COUPLED, hash_text, plain_config, validate, validate_leaf


class Form:
    """What the jobs of one structure and one set of literal keys have in common."""

    def __init__(self, composed: DictConfig, paths: tuple[str, ...]) -> None:
        self.paths = paths
        hydra = composed.hydra
        task = copy.copy(composed)
        with read_write(task), open_dict(task):
            del task["hydra"]
        self.raw: Any = OmegaConf.to_container(task, resolve=False)
        self.plain = plain(task)
        for path in paths:
            parent, name = self._parent(self.plain, path)
            if not isinstance(parent, dict) or name not in parent:
                raise _Structural  # Hydra's own words for it
        self.simple = self.raw == OmegaConf.to_container(task, resolve=True)
        """Whether nothing in the config refers to something else, so that a literal can be patched alone."""
        self.special = _special(hydra)
        self.position = {path: at for at, path in enumerate(paths)}
        self.cache: dict[str, Any] = {}
        """What others work out once for all jobs of the form."""
        self.hydra = hydra
        self.task = task
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
            at = (path, value, type(value))
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
    def config_yaml(self) -> Template:
        """.hydra/config.yaml, to be filled with the values as YAML."""
        return Template(OmegaConf.to_yaml(OmegaConf.create(self._marked(self.raw))), len(self.paths))

    @cached_property
    def hydra_yaml(self) -> Template:
        """.hydra/hydra.yaml: marks for the overrides, the sorted overrides in one word, number, and folder."""
        node: Any = OmegaConf.to_container(self.hydra, resolve=False)
        node["overrides"]["task"] = [mark(0)]
        node["job"] |= {"override_dirname": mark(1), "id": mark(2), "num": mark(3)}
        node["runtime"]["output_dir"] = mark(4)
        return Template(OmegaConf.to_yaml(OmegaConf.create({"hydra": node})).replace(f"    - {mark(0)}\n", mark(0)), 5)

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
    def config_json(self) -> Template:
        """config.json: marks for the values, then for the hash."""
        content = {**self._marked(self.normal), "config_hash": mark(len(self.paths))}
        text = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()
        return Template(text, len(self.paths) + 1, quoted=True)

    @cached_property
    def hashed(self) -> Template:
        """The text that the config's hash is taken of."""
        content = {k: v for k, v in self._marked(self.normal).items() if k not in UNHASHED}
        return Template(hash_text(content), len(self.paths), quoted=True)


class Whole:
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


@dataclass
class Job:
    """One job of a sweep: its form and its values, or the reason why it has neither."""

    number: int
    overrides: tuple[str, ...]
    name: str = ""
    form: Form | Whole | None = None
    config: Config | None = None
    values: tuple[Any, ...] = ()
    """As the schema takes them, one for each of `form.paths`."""
    written: tuple[Any, ...] = ()
    """As they were written on the command line."""
    error: str | None = None
    digest: str = ""
    extra: dict[str, Any] = field(default_factory=dict)

    def value(self, path: str) -> Any:
        """The job's value of a config key."""
        form = self.form
        assert form is not None
        at = form.position.get(path)
        return form.flat[path] if at is None else self.values[at]

    def plain(self) -> dict[str, Any]:
        """The job's plain config, validated and complete."""
        assert self.form is not None
        return plain_config(validate(self.form.patched(self.values)))


class _Structural(Exception):
    """A literal that can't be patched in: the job is composed as a whole."""


class Composer:
    """Composes jobs. Lives as long as the sweep: sweepers of others launch many times."""

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader, self.master = loader, master
        self._forms: dict[tuple, Form | str] = {}
        self._refused: dict[tuple, str] = {}

    def compose(self, job: Job) -> Job:
        """Fill in the job's form and values, or its error."""
        literals = [literal(o) for o in job.overrides]
        structure = tuple(o for o, known in zip(job.overrides, literals, strict=True) if known is None)
        found: dict[str, Literal] = {known.path: known for known in literals if known is not None}
        at = (structure, tuple(found))
        form = self._form(*at)
        if isinstance(form, str):
            if at not in self._refused:  # Hydra's own words, found once for all jobs of this kind
                whole = self._form(job.overrides, ())
                self._refused[at] = whole if isinstance(whole, str) else form
            job.error = self._refused[at]
            return job
        if found and not form.simple:
            form, found = self._form(job.overrides, ()), {}
            if isinstance(form, str):
                job.error = form
                return job
        job.form, job.written = form, tuple(known.value for known in found.values())
        try:
            job.config, job.values = form.typed(job.written)
            job.digest = hash_of(form, job.values)
        except UserError as error:
            job.error = str(error)
            return job
        return job

    def _form(self, structure: tuple[str, ...], paths: tuple[str, ...]) -> Form | str:
        at = (structure, paths)
        if at not in self._forms:
            try:
                composed = self.loader.load_sweep_config(self.master, list(structure))
                self._forms[at] = Form(composed, paths)
            except _Structural:
                self._forms[at] = "unknown key"
            except Exception as error:
                explained = explain(error)
                if explained is None:
                    raise
                self._forms[at] = str(explained)
        return self._forms[at]


def hash_of(form: Form, values: tuple[Any, ...]) -> str:
    """The config's hash, equal to `validation.config_hash` of its plain form."""
    import hashlib
    import json

    text = form.hashed.fill([json.dumps(v) for v in values])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def config_texts(job: Job, folder: str) -> dict[str, str]:
    """The texts of config.json and of Hydra's three files, by their path in the job's folder."""
    form = job.form
    assert isinstance(form, Form)
    task = [o for o in job.overrides if not _of_hydra(o)]
    dirname = ",".join(sorted(o.lstrip("+~") for o in task))
    listed = yaml_list(task, indent="    ") if task else "    []\n"
    return {
        ".hydra/config.yaml": form.config_yaml.fill([yaml_scalar(v, type(v)) for v in job.written]),
        ".hydra/hydra.yaml": form.hydra_yaml.fill(
            [listed, _word(dirname), f"'{job.number}'", str(job.number), _word(folder)]
        ),
        ".hydra/overrides.yaml": yaml_list(task),
        "config.json": form.config_json.fill([orjson.dumps(v).decode() for v in job.values] + [f'"{job.digest}"']),
    }


def _word(text: str) -> str:
    """A text as YAML writes it; most need no quotes."""
    return text if re.fullmatch(r"[A-Za-z_/][\w./=,+-]*", text) else yaml_scalar(text, str)


def _of_hydra(override: str) -> bool:
    return override.lstrip("+~").startswith(("hydra.", "hydra/"))


def _special(hydra: DictConfig) -> str | None:
    """Why Hydra itself has to run these jobs, if it has to."""
    if hydra.callbacks:
        return "hydra.callbacks are set"
    if hydra.job.chdir:
        return "hydra.job.chdir is set"
    if hydra.job.env_set:
        return "hydra.job.env_set is set"
    if hydra.output_subdir != ".hydra":
        return "hydra.output_subdir is changed"
    return None
