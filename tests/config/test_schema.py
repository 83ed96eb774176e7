"""The values in conf/ and the defaults in the schema are one and the same; every choice composes and validates."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from experiments.cli import help as help_text
from experiments.config.composition import compose
from experiments.config.paths import config_folder
from experiments.config.schema import GROUPS, SECTIONS, Config
from experiments.config.validation import choice_of, config_hash, plain_config, validate

CHOICES = [(group, choice) for group, choices in GROUPS.items() for choice in choices]


def defaults(schema: type) -> dict[str, Any]:
    return dataclasses.asdict(schema())


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_yaml_of_a_choice_holds_the_defaults_of_its_dataclass(group: str, choice: str) -> None:
    stored: Any = OmegaConf.to_container(OmegaConf.load(config_folder() / group / f"{choice}.yaml"))
    expected = defaults(GROUPS[group][choice])
    if group == "device":
        expected["name"] = choice
    assert stored == expected
    assert {k: type(v) for k, v in stored.items()} == {k: type(v) for k, v in expected.items()}


@pytest.mark.parametrize("group", GROUPS)
def test_every_yaml_file_is_a_choice_of_the_schema(group: str) -> None:
    assert {file.stem for file in (config_folder() / group).glob("*.yaml")} == set(GROUPS[group])


def test_config_yaml_holds_the_defaults_of_the_sections() -> None:
    main: Any = OmegaConf.to_container(OmegaConf.load(config_folder() / "config.yaml"), resolve=False)
    assert main["seed"] == next(f.default for f in dataclasses.fields(Config) if f.name == "seed")
    for section, schema in SECTIONS.items():
        assert main[section] == defaults(schema)
    groups = {name for entry in main["defaults"] if isinstance(entry, dict) for name in entry}
    assert set(GROUPS) <= groups


@pytest.mark.parametrize("choice", range(max(map(len, GROUPS.values()))))
def test_every_choice_composes_and_validates_and_comes_back_from_its_plain_form(choice: int) -> None:
    """One composition takes a choice of each group, so ten cover all."""
    words = {group: list(choices)[choice % len(choices)] for group, choices in GROUPS.items()}
    config = compose([f"{group}={word}" for group, word in words.items()])
    plain = plain_config(config)
    assert {group: choice_of(group, plain[group]) for group in GROUPS} == words
    for group, word in words.items():
        assert type(getattr(config, group)) is GROUPS[group][word]
    assert validate(plain) == config
    assert config_hash(plain_config(validate(plain))) == config_hash(plain)


@pytest.mark.parametrize("preset", ["from_scratch", "builtins", "standardized"])
def test_presets_compose(preset: str) -> None:
    assert (config_folder() / "experiment" / f"{preset}.yaml").is_file()
    assert compose([f"experiment={preset}"]).optimizer.lr == {"standardized": 0.5}.get(preset, 1e-5)
    assert preset in help_text.PRESETS


def test_help_names_every_group_choice_and_key() -> None:
    text = help_text.text(["all"])
    for group, choice in CHOICES:
        assert group in text and choice in text
    for schemas in (*({s.__name__: s} for s in SECTIONS.values()), *GROUPS.values()):
        for schema in schemas.values():
            for field in dataclasses.fields(schema):
                assert f".{field.name} " in text
                assert field.metadata["help"]


def test_schema_imports_nothing_of_torch_hydra_or_ours() -> None:
    path = str(Path(help_text.__file__).parents[2])
    code = (
        f"import sys; sys.path.insert(0, {path!r}); before = set(sys.modules); import experiments.config.schema;"
        "print(sorted(m for m in set(sys.modules) - before if m.partition('.')[0] in"
        " ('torch', 'hydra', 'omegaconf', 'numpy', 'experiments')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['experiments', 'experiments.config', 'experiments.config.schema']"
