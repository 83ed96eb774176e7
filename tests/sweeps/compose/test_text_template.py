"""Texts with marks in them, and YAML as OmegaConf writes it."""

from hypothesis import given
from hypothesis import strategies as st
from omegaconf import OmegaConf

from experiments.sweeps.compose.text_template import TextTemplate, mark, yaml_list, yaml_scalar


def test_a_template_is_filled_at_its_marks() -> None:
    template = TextTemplate(f"a: {mark(1)}\nb: {mark(0)} {mark(1)}\n", 2)
    assert template.fill(["x", "y"]) == "a: y\nb: x y\n"
    quoted = TextTemplate(f'{{"a": "{mark(0)}"}}', 1, quoted=True)
    assert quoted.fill(["1.5"]) == '{"a": 1.5}'


@given(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=12)))
def test_a_scalar_is_written_as_omegaconf_writes_it(value: object) -> None:
    if isinstance(value, str) and "${" in value:
        return
    assert f"k: {yaml_scalar(value)}\n" == OmegaConf.to_yaml(OmegaConf.create({"k": value}))


def test_zeros_that_are_equal_are_written_each_with_its_sign() -> None:
    assert [yaml_scalar(value) for value in (0.0, -0.0, 0.0)] == ["0.0", "-0.0", "0.0"]


@given(
    st.lists(st.sampled_from(["seed=1", "model=manual", "data.path='a b'", "x=[1,2]", "y={a: b}", "z=é", "w=${seed}"]))
)
def test_overrides_are_listed_as_omegaconf_lists_them(overrides: list[str]) -> None:
    assert yaml_list(overrides) == OmegaConf.to_yaml(OmegaConf.create(overrides))
