"""A command line of overrides to its typed config, nothing run."""

from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra

from experiments.config.composition import compose
from experiments.errors import UserError

OWN = "_target_: torch.optim.SGD\nlr: 1e-6\nmomentum: 0.0\ndampening: 0.0\nweight_decay: 0.0\nnesterov: false\n"


def test_compose_takes_the_users_groups(tmp_path: Path) -> None:
    (tmp_path / "their conf/optimizer").mkdir(parents=True)
    (tmp_path / "their conf/optimizer/gentle.yaml").write_text(OWN)
    folder = str(tmp_path / "their conf")
    for words in (["optimizer=gentle", "-cd", folder], ["--config-dir", folder, "optimizer=gentle"]):
        assert compose(words).optimizer.lr == 1e-6


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--cfg=job"], "--cfg: only overrides and --config-dir go here"),
        (["-m", "seed=1"], "--multirun: only overrides"),
        (["--config-dir"], "expected one argument"),
        (["seed"], "seed: not an override"),
        (["optimizer=adamm"], "did you mean adam?"),
        (["seed=-1"], "seed=-1: must be at least 0"),
    ],
)
def test_anything_else_is_refused_in_one_line(words: list[str], said: str) -> None:
    with pytest.raises(UserError) as refused:
        compose(words)
    assert said in str(refused.value) and "\n" not in str(refused.value)


def test_a_notebooks_own_hydra_is_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("own: 1\n")
    with hydra.initialize_config_dir(str(tmp_path), version_base="1.3"):
        mine = GlobalHydra.instance().hydra
        assert compose(["seed=3"]).seed == 3
        with pytest.raises(UserError):
            compose(["seed=-1"])
        assert GlobalHydra.instance().hydra is mine
        assert hydra.compose("mine").own == 1
