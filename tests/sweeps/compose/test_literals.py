"""The fast reading of literals says what Hydra's own parser says."""

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException
from hypothesis import example, given
from hypothesis import strategies as st

from experiments.sweeps.compose.literals import literal

VALUES = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.from_regex(r"[+-]?[0-9]{0,3}\.?[0-9]{0,3}([eE][+-]?[0-9]{1,2})?", fullmatch=True),
    st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,6}", fullmatch=True),
    st.sampled_from(["true", "False", "NULL", "inf", "nan", "None", "007", "1_000", "0x1", "1e5", "1.", ".5", "+3"]),
)


@given(st.sampled_from(["seed", "optimizer.lr", "data.loader", "a.b_c.d"]), VALUES)
@example("seed", "1e5")
@example("seed", "00")
def test_a_literal_is_read_as_hydra_reads_it(key: str, value: str) -> None:
    ours = literal(f"{key}={value}")
    if ours is None:
        return
    theirs = OverridesParser.create().parse_override(f"{key}={value}")
    assert (ours.path, ours.value, type(ours.value)) == (theirs.key_or_group, theirs.value(), type(theirs.value()))


@pytest.mark.parametrize(
    "override",
    ["model=manual", "experiment=builtins", "hydra.verbose=true", "optimizer.betas=[0.9,0.99]", "+optimizer.lr=1",
     "++seed=1", "~seed", "data.path='a b'", "data.seed=${seed}", "model._target_=torch.nn.Linear", "seed=1,2"],
)  # fmt: skip
def test_anything_else_is_left_to_hydra(override: str) -> None:
    assert literal(override) is None


def test_what_hydra_refuses_is_not_taken() -> None:
    with pytest.raises(OverrideParseException):
        OverridesParser.create().parse_overrides(["seed=["])
    assert literal("seed=[") is None
