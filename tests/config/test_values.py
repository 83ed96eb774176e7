"""One value against the type and the rules of its key: each rule by itself, on a schema of the test's own."""

import dataclasses
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from experiments.config.schema import key
from experiments.config.values import checked


@dataclass
class Schema:
    rate: float | str = key(0.1, "", above=0, high=10.0, special=("auto",))
    order: bool | str = key(True, "", choices=(True, False, "blocks"))
    count: int = key(1, "", low=1)
    seed: int = key(0, "", low=0, high=2**63 - 1)
    most: int | None = key(None, "", low=1)
    pair: list[float] = key([0.5, 0.5], "", low=0, below=1, length=2)
    names: list[str] | None = key(None, "")
    units: dict[str, str] | None = key(None, "")
    path: str | None = key(None, "", path=True)
    word: str = key("uniform", "", choices=("uniform", "normal"))
    metric: str = key("gap", "", choices=("gap",), dotted=("r2",))


FIELDS = {f.name: f for f in dataclasses.fields(Schema)}


def taken(name: str, value: Any) -> Any:
    problems: list[str] = []
    found = checked(f"a.{name}", FIELDS[name], value, problems)
    assert problems == []
    return found


@pytest.mark.parametrize("value", [1, 1.0])
def test_whole_numbers_serve_as_floats(value: Any) -> None:
    assert taken("rate", value) == 1.0 and type(taken("rate", value)) is float
    assert type(taken("pair", [0, 0.5])[0]) is float


@pytest.mark.parametrize(
    ("name", "value"),
    [("rate", "auto"), ("rate", 10.0), ("order", True), ("order", False), ("order", "blocks"), ("count", 1),
     ("seed", 2**63 - 1), ("most", None), ("most", 3), ("pair", [0.0, 0.999]), ("names", None), ("names", []),
     ("names", ["a", "b"]), ("units", {"a": "°F"}), ("path", None), ("word", "normal"),
     ("metric", "gap"), ("metric", "r2"), ("metric", "r2.a.b")],
)  # fmt: skip
def test_what_holds_is_taken_as_it_is(name: str, value: Any) -> None:
    assert taken(name, value) == value and type(taken(name, value)) is type(value)


def test_paths_are_made_absolute_from_here_and_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/of/theirs")
    assert taken("path", "x/../t.csv") == str(tmp_path / "t.csv")
    assert taken("path", "~/t.csv") == "/home/of/theirs/t.csv"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("rate", 0, "a.rate=0: must be above 0"),
        ("rate", 10.5, "a.rate=10.5: must be at most 10.0"),
        ("rate", "otto", "a.rate=otto: must be a number or auto"),
        ("rate", math.nan, "a.rate=nan: must be a finite number or auto"),
        ("rate", True, "a.rate=True: must be a number or auto"),
        ("order", 1, "a.order=1: must be one of true, false, blocks"),
        ("order", "block", "a.order=block: must be one of true, false, blocks; did you mean blocks?"),
        ("count", 0, "a.count=0: must be at least 1"),
        ("count", 1.0, "a.count=1.0: must be a whole number"),
        ("count", None, "a.count=null: must be a whole number"),
        ("count", 2**63, "a.count=9223372036854775808: must be at most 9223372036854775807"),
        ("most", "3", "a.most=3: must be a whole number"),
        ("pair", [0.5], "a.pair=[0.5]: must have 2 entries"),
        ("pair", [0.5, 1], "a.pair=[0.5, 1]: must be below 1"),
        ("pair", None, "a.pair=null: must be a list, as [a,b]"),
        ("names", "temp", "a.names=temp: must be a list, as [temp]"),
        ("names", [None], "a.names=[None]: must be a list of texts; put quotes around null"),
        ("units", ["°F"], "a.units=['°F']: must be pairs, as {a: b}"),
        ("units", {"a": 1}, "a.units={'a': 1}: must be a text"),
        ("metric", "r2.", "a.metric=r2.: must be one of gap, r2, r2.TARGET; did you mean r2?"),
        ("metric", "gap.a", "a.metric=gap.a: must be one of gap, r2, r2.TARGET; did you mean gap?"),
        ("word", "uniforn", "a.word=uniforn: must be one of uniform, normal; did you mean uniform?"),
    ],
)
def test_refusals_name_the_key_the_value_and_what_it_must_be(name: str, value: Any, said: str) -> None:
    problems: list[str] = []
    checked(f"a.{name}", FIELDS[name], value, problems)
    assert problems == [said]
