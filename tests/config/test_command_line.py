"""Flags and overrides: what Hydra's parser would answer with its usage text is one line of ours."""

import pytest

from experiments.config.command_line import override, read
from experiments.errors import UserError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--foo"], "--foo: no such flag"),
        (["--multirum"], "did you mean --multirun?"),
        (["--cfg"], "expected one argument"),
        (["--cfg", "jobs"], "argument --cfg/-c: invalid choice: 'jobs'"),
        (["--info", "nothing"], "argument --info/-i: invalid choice: 'nothing'"),
        (["--experimental-rerun", "x.pickle"], "can run any code"),
        (["--config-dir", "nowhere"], "there is no such folder"),
        (["--resolve"], "goes with --cfg only"),
        (["--cfg", "job", "-m"], "--multirun and --cfg: only one of them"),
        (["--shell-completion", "--run"], "--run and --shell-completion: only one of them"),
        (["=3"], "=3: not an override"),
        (["+"], "+: not an override"),
    ],
)
def test_refusals(words: list[str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        read(["seed=1", *words])
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["-m"], {"multirun": True}),
        (["--cfg", "all", "--resolve"], {"cfg": "all", "resolve": True}),
        (["-c", "job", "-p", "model"], {"cfg": "job", "package": "model"}),
        (["--info"], {"info": "all"}),
        (["-i", "defaults-tree"], {"info": "defaults-tree"}),
        (["--config-dir", "."], {"config_dir": "."}),
        (["--config-dir=./"], {"config_dir": "./"}),
        (["-cp", "conf", "--config-name", "mine"], {"config_path": "conf", "config_name": "mine"}),
        (["-sc", "query=bash"], {"shell_completion": True, "overrides": ["seed=1", "query=bash"]}),
        (["~training.patience"], {"overrides": ["seed=1", "~training.patience"]}),
    ],
)
def test_every_flag_of_hydra_is_read(words: list[str], found: dict[str, object]) -> None:
    asked = vars(read(["seed=1", *words]))
    assert {name: asked[name] for name in found} == found


def test_flags_may_stand_between_the_overrides() -> None:
    asked = read(["-m", "seed=1", "-cd", ".", "a=°F", "b=3"])
    assert asked.multirun and asked.config_dir == "." and asked.overrides == ["seed=1", "a='°F'", "b=3"]


@pytest.mark.parametrize("word", ["-m", "--cfg=job", "seed", "", "=", "+=", "~"])
def test_no_other_word_is_an_override(word: str) -> None:
    with pytest.raises(UserError, match="not an override; write key=value"):
        override(word)
