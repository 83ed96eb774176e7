"""Hydra's refusals in our words: the value, why, the nearest right name, in one line."""

import pytest
from hydra.errors import MissingConfigException

from experiments.config.composition import compose
from experiments.config.explain import explain
from experiments.errors import UserError, nearest, one_line


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("optimizer=adamm", ("optimizer=adamm", "no such choice", "did you mean adam?", "manual_sgd")),
        ("loss=mae", ("loss=mae: no such choice; did you mean l1? There are cross_entropy, huber",)),
        ("device=gpu", ("did you mean cuda?",)),
        ("lr=1e-4", ("lr: no such key; did you mean optimizer.lr?",)),
        ("+lr=1e-4", ("lr: no such key; did you mean optimizer.lr?",)),
        ("epochs=3", ("did you mean training.epochs or schedule.epochs?",)),
        ("batch=3", ("did you mean training.batch_size?",)),
        ("data.targets=price", ("data.targets=price: must be a list, as [price]",)),
        ("data.targets=price,size", ("write data.targets=[price,size] for a list",)),
        (
            "model={a:1}",
            ("model: choose one of linear, manual, analytic, mlp, cnn, or set its keys, as model.KEY=VALUE",),
        ),
        ("hydra/launcher=ray", ("hydra/launcher=ray: is not installed; pip install hydra-ray-launcher",)),
        ("optimzer=adam", ("optimzer", "no such key", "did you mean optimizer?")),
        ("optimizer.lrr=1", ("optimizer.lrr", "did you mean optimizer.lr?")),
        ("+optimizer.lrr=1", ("optimizer.lrr", "no such key in optimizer=sgd", "did you mean lr?")),
        ("++training.epoch=1", ("training.epoch", "did you mean epochs?")),
        ("training.epoch=1", ("training.epoch", "did you mean training.epochs?")),
        ("training.epochs.deep=1", ("training.epochs.deep",)),
        ("++training.x.y=3", ("training.x", "no such key")),
        ("+foo=1", ("foo: no such key",)),
        ("++sed=1", ("sed: no such key; did you mean seed or data.seed?",)),
        ("+seed=1", ("it is there already", "leave out the +")),
        ("~optimizer", ("optimizer: missing", "choose one of sgd")),
        ("~foo", ("~foo: no such key",)),
        ("loss.delta=2", ("loss.delta", "loss=huber has it")),
        ("optimizer.betas=[0.9,0.99]", ("optimizer.betas", "optimizer=adam or adamw")),
        ("experiment=scratch", ("experiment=scratch", "did you mean from_scratch?")),
        ("training.epochs=1,2", ("training.epochs=1,2", "add -m", "training.epochs=[1,2]")),
        ("experiment=[1]", ("what is no name", "name one of its choices")),
        ("model=null", ("set to null", "name one of its choices")),
        ("training.epochs=[1", ("training.epochs=[1", "cannot be read")),
        ("seed=${nowhere}", ("nowhere", "not found")),
        ("hydra.foo=1", ("hydra.foo",)),
        ("seed=\x1b[31m", ("seed=",)),
    ],
)
def test_one_line_names_value_reason_and_remedy(override: str, words: tuple[str, ...]) -> None:
    with pytest.raises(UserError) as caught:
        compose([override])
    text = one_line(caught.value)
    assert text.isprintable()
    for word in words:
        assert word in text


def test_a_missing_extra_is_told_with_the_command_that_installs_it() -> None:
    """As Hydra says it where hydra-joblib-launcher is not installed."""
    error = MissingConfigException("", missing_cfg_file="hydra/launcher/joblib", options=["basic", "stacked"])
    assert str(explain(error)) == "hydra/launcher=joblib: is not installed; pip install 'experiments[joblib]'"


def test_what_is_no_mistake_of_the_users_is_left_alone() -> None:
    assert explain(ValueError("a bug")) is None
    assert explain(KeyError("x")) is None
    mistake = UserError("x")
    assert explain(mistake) is mistake


def test_nearest_is_silent_when_nothing_is_like_it() -> None:
    assert nearest("lrr", ["lr", "momentum"]) == "; did you mean lr?"
    assert nearest("zzz", ["lr", "momentum"]) == ""


def test_one_line_disarms_control_characters() -> None:
    assert one_line("a\n  b\tc\x1b[2J\x00") == "a b c?[2J?"
