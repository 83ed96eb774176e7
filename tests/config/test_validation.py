"""A plain config against the schema: exact types, ranges, names suggested, everything wrong in one line."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.config import schema as schema
from experiments.config.schema import Config, Custom
from experiments.config.validation import choice_of, config_hash, plain_config, validate
from experiments.errors import UserError

BASE = Config(schema.Model(), schema.SGD(), schema.Constant(), schema.MSE(), schema.Crops(), schema.Device())


def changed(path: str, value: Any) -> dict[str, Any]:
    plain = plain_config(BASE)
    *parents, name = path.split(".")
    node = plain
    for parent in parents:
        node = node[parent]
    node[name] = value
    return plain


def refusal(path: str, value: Any) -> str:
    with pytest.raises(UserError) as caught:
        validate(changed(path, value))
    text = str(caught.value)
    assert "\n" not in text
    assert text.startswith(path)
    return text


def test_the_default_config_is_valid_and_typed() -> None:
    assert validate(plain_config(BASE)) == BASE


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("seed", -1, "at least 0"),
        ("seed", 2**63, "at most"),
        ("seed", True, "a whole number"),
        ("seed", None, "a whole number"),
        ("seed", "3", "a whole number"),
        ("seed", 1.0, "a whole number"),
        ("training.epochs", -1, "at least 0"),
        ("training.batch_size", 0, "at least 1"),
        ("training.log_every", 0, "at least 1"),
        ("training.patience", 0, "at least 1"),
        ("training.max_seconds", 0, "above 0"),
        ("training.shuffle", 1, "one of true, false, blocks"),
        ("training.shuffle", "block", "did you mean blocks?"),
        ("training.fail_on_divergence", "yes", "true or false"),
        ("optimizer.lr", 0, "above 0"),
        ("optimizer.lr", -1e-5, "above 0"),
        ("optimizer.lr", math.nan, "a finite number or auto"),
        ("optimizer.lr", math.inf, "a finite number or auto"),
        ("optimizer.lr", "otto", "a number or auto"),
        ("optimizer.lr", None, "a number or auto"),
        ("optimizer.lr", True, "a number or auto"),
        ("optimizer.lr", 10**400, "beyond the largest number"),
        ("optimizer.momentum", -0.1, "at least 0"),
        ("optimizer.nesterov", True, "needs optimizer.momentum"),
        ("data.validation", 1.2, "below 1"),
        ("data.validation", 1, "below 1"),
        ("data.validation", -0.1, "at least 0"),
        ("data.inputs", "temp", "must be a list"),
        ("data.inputs", [None], "a list of texts"),
        ("data.loader", "tensors", "did you mean tensor?"),
        ("device.dtype", "float16", "one of float32, float64"),
        ("device.threads", 0, "at least 1"),
        ("model.bias", 1, "true or false"),
        ("model.init", "random", "one of uniform, normal, zeros"),
        ("training", 3, "a section of keys"),
        ("training.epoch", 3, "did you mean epochs?"),
        ("optimizer.lrr", 3, "in optimizer=sgd; did you mean lr?"),
        ("sweeps", {}, "did you mean sweep?"),
        ("model", None, "choose one of linear, manual, analytic"),
        ("optimizer._target_", 3, "names no class"),
        ("optimizer._target_", "", "names no class"),
    ],
)
def test_refuses_what_is_out_of_range_or_unknown(path: str, value: Any, reason: str) -> None:
    assert reason in refusal(path, value)


@pytest.mark.parametrize("group", schema.GROUPS)
def test_a_missing_group_is_no_bare_schema(group: str) -> None:
    plain = plain_config(BASE)
    del plain[group]
    with pytest.raises(UserError, match=f"^{group}: missing; choose one of"):
        validate(plain)


def test_gathers_everything_that_is_wrong() -> None:
    plain = changed("seed", -1)
    plain["training"]["epochs"] = -2
    plain["optimizer"]["lrr"] = 1
    with pytest.raises(UserError) as caught:
        validate(plain)
    assert all(part in str(caught.value) for part in ("seed=-1", "training.epochs=-2", "optimizer.lrr"))


def test_hostile_values_stay_one_printable_line() -> None:
    plain = changed("seed", "1\n\x1b[31merror: all is well")
    with pytest.raises(UserError) as caught:
        validate(plain)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("optimizer", "holds"),
    [
        (schema.SGD(lr="auto"), True),
        (schema.ManualSGD(lr="auto"), True),
        (schema.SGD(lr="auto", momentum=0.9), False),
        (schema.SGD(lr="auto", weight_decay=0.1), False),
        (schema.Adam(lr="auto"), False),
        (schema.ManualAdagrad(lr="auto"), False),
    ],
)
def test_automatic_rate_is_for_plain_descent(optimizer: Any, holds: bool) -> None:
    plain = {**plain_config(BASE), "optimizer": plain_config(BASE)["optimizer"] | vars(optimizer)}
    plain["optimizer"] = dict(vars(optimizer))
    if holds:
        assert validate(plain).optimizer.lr == "auto"
    else:
        with pytest.raises(UserError, match="plain gradient descent only"):
            validate(plain)


def test_float64_on_mps_is_refused_before_any_torch() -> None:
    plain = changed("device.name", "mps")
    plain["device"]["dtype"] = "float64"
    with pytest.raises(UserError, match="mps has no float64"):
        validate(plain)


def test_a_users_own_target_keeps_its_keys() -> None:
    node = {"_target_": "their.module.Net", "hidden": 8, "deep": {"anything": [1, None]}}
    config = validate(changed("model", node))
    assert config.model == Custom("their.module.Net", {"hidden": 8, "deep": {"anything": [1, None]}})
    assert plain_config(config)["model"] == node
    assert choice_of("model", node) == "their.module.Net"


def test_hash_is_of_what_is_learned() -> None:
    digest = config_hash(plain_config(BASE))
    assert len(digest) == 16
    for path, value in (("tracking.figures", False), ("sweep.fail_fast", True), ("config_hash", "x")):
        assert config_hash(changed(path, value)) == digest
    for path, value in (("seed", 1), ("optimizer.lr", 2e-5), ("training.epochs", 3), ("data.split_seed", 1)):
        assert config_hash(changed(path, value)) != digest


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    path=st.sampled_from(
        ["seed", "model", "model.bias", "optimizer.lr", "training", "training.shuffle", "training.epochs",
         "data.inputs", "device.name", "sweep.resume", "loss._target_", "tracking.figures"]
    ),
    value=JUNK,
)  # fmt: skip
def test_any_value_is_typed_or_refused_in_one_line(path: str, value: Any) -> None:
    try:
        config = validate(changed(path, value))
    except UserError as error:
        said = str(error)
    else:
        assert validate(plain_config(config)) == config
        said = ""
    assert said == "" or said.isprintable()
