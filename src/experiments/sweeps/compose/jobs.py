"""One job of a sweep, and the texts of the config files in its folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from experiments.config.schema import Config
from experiments.config.validation import plain_config, validate
from experiments.sweeps.compose.config_template import ConfigTemplate, FixedConfig
from experiments.sweeps.compose.hydra_part import one_word
from experiments.sweeps.compose.text_template import yaml_list, yaml_scalar
from experiments.tracking.hparams import flat


@dataclass
class Job:
    """One job of a sweep: its template and its values, or the reason why it has neither."""

    number: int
    overrides: tuple[str, ...]
    name: str = ""
    template: ConfigTemplate | FixedConfig | None = None
    config: Config | None = None
    values: tuple[Any, ...] = ()
    """As the schema takes them, one for each of `template.paths`."""
    written: tuple[Any, ...] = ()
    """As they were written on the command line."""
    error: str | None = None
    digest: str = ""
    stored: dict[str, Any] | None = None
    """What `measured` is without a template: what the folder's config.json says."""

    def value(self, path: str) -> Any:
        """The job's value of a config key."""
        template = self.template
        assert template is not None
        if (at := template.position.get(path)) is not None:
            return self.values[at]
        section, _, name = path.partition(".")
        return template.normal[section][name] if name else template.normal[section]

    def measured(self) -> dict[str, Any]:
        """The flat settings of loss and data, what the job's losses are measured in and of; {} where not known."""
        template = self.template
        if template is None or self.error is not None:
            return self.stored or {}
        if (base := template.cache.get("measured")) is None:
            base = template.cache["measured"] = measured_in(template.normal)
        own = {p: v for p, v in zip(template.paths, self.values, strict=True) if p in base}
        return {**base, **own} if own else base

    def subdir(self) -> str | None:
        """`hydra.sweep.subdir` as Hydra resolves it for this job; None where it is left to us."""
        template = self.template
        if not isinstance(template, ConfigTemplate):
            return None
        values = dict(zip(template.paths, self.written, strict=False))  # none were taken of a refused job
        return template.hydra.subdir(self.number, task_overrides(self.overrides), values)

    def plain(self) -> dict[str, Any]:
        """The job's plain config, validated and complete."""
        assert self.template is not None
        return plain_config(validate(self.template.patched(self.values)))


def task_overrides(overrides: Sequence[str]) -> list[str]:
    """The overrides that are not Hydra's own."""
    return [o for o in overrides if not o.lstrip("+~").startswith(("hydra.", "hydra/"))]


def measured_in(plain: Any) -> dict[str, Any]:
    """The flat settings of loss and data in a plain config; {} for content that is no config."""
    try:
        return {name: v for name, v in flat(plain).items() if name.partition(".")[0] in ("loss", "data")}
    except (AttributeError, TypeError):
        return {}


def config_texts(job: Job, folder: str) -> dict[str, str]:
    """The texts of config.json and of Hydra's three files, by their path in the job's folder."""
    template = job.template
    assert isinstance(template, ConfigTemplate)
    task = task_overrides(job.overrides)
    return {
        ".hydra/config.yaml": template.config_yaml.fill([yaml_scalar(v) for v in job.written]),
        ".hydra/hydra.yaml": template.hydra.yaml.fill(of_hydra(task, template.hydra.dirname, job.number, folder)),
        ".hydra/overrides.yaml": yaml_list(task),
        "config.json": template.config_json.fill([orjson.dumps(v).decode() for v in job.values] + [f'"{job.digest}"']),
    }


def of_hydra(task: Sequence[str], dirname: Sequence[Any], number: int, folder: str) -> list[str]:
    """The texts at the marks of hydra.yaml, see `HydraPart.yaml`."""
    word = yaml_scalar(one_word(task, dirname))
    return [yaml_list(task, indent="    "), word, f"'{number}'", str(number), yaml_scalar(folder)]
