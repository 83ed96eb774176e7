"""Hydra's flags: what its parser would answer with usage text is one line of ours."""

import pytest

from experiments.config.flags import check_flags, overrides_first
from experiments.errors import UserError


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--foo"], "--foo: no such flag"),
        (["--multirum"], "did you mean --multirun?"),
        (["--cfg"], "expected one argument"),
        (["--cfg", "jobs"], "--cfg jobs: must be one of job, hydra, all"),
        (["--info", "nothing"], "--info nothing: must be one of all, config"),
        (["--config-dir", "nowhere"], "there is no such folder"),
        (["--experimental-rerun", "x.pickle"], "can run any code"),
        (["--resolve"], "goes with --cfg only"),
        (["--cfg", "job", "-m"], "--multirun and --cfg: only one of them"),
        (["--shell-completion", "--run"], "--run and --shell-completion: only one of them"),
        (["=3"], "=3: not an override"),
        (["+"], "+: not an override"),
    ],
)
def test_refusals(words: list[str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        check_flags(["seed=1", *words])
    assert said in str(refused.value) and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "words",
    [["-m"], ["--cfg", "all", "--resolve"], ["-c", "job", "-p", "model"], ["--info"], ["-i", "defaults-tree"],
     ["--config-dir", "."], ["~training.patience"], ["--resolve", "--help"]],
)  # fmt: skip
def test_hydras_own_words_pass(words: list[str]) -> None:
    check_flags(["seed=1", *words])


def test_flags_go_behind_the_overrides_with_their_values() -> None:
    words = ["-m", "seed=1", "--cfg", "job", "a=2", "--info", "defaults", "b=3", "-i", "c=4", "-cd", "some=where"]
    assert overrides_first(words) == [
        "seed=1", "a=2", "b=3", "c=4", "-m", "--cfg", "job", "--info", "defaults", "-i", "-cd", "some=where",
    ]  # fmt: skip
