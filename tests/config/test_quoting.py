"""Values beyond ASCII, as people type them: units, names of columns, paths."""

import json

import polars as pl
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments import run
from experiments.__main__ import main
from experiments.config.quoting import quoted


@pytest.mark.parametrize(
    ("typed", "means"),
    [
        ("k={temp: °F}", {"temp": "°F"}),
        ("k={temp: °F, rain: mm, y: kg/m²}", {"temp": "°F", "rain": "mm", "y": "kg/m²"}),
        ("k={temp: '°F', y: \"µg per m³\"}", {"temp": "°F", "y": "µg per m³"}),
        ("k=[größe, höhe,b]", ["größe", "höhe", "b"]),
        ("k=/home/jürgen/my table.csv", "/home/jürgen/my table.csv"),
        ("k=/home/jürgen/10:30.csv", "/home/jürgen/10:30.csv"),
        ("k={temp: C}", {"temp": "C"}),
        ("data.query=SELECT a, b FROM t WHERE c IN ('x', \"y\")", "SELECT a, b FROM t WHERE c IN ('x', \"y\")"),
        (r"data.query=SELECT a FROM t WHERE c ~ '\d\'' -- \\", r"SELECT a FROM t WHERE c ~ '\d\'' -- \\"),
        ("data.query='SELECT a, b'", "SELECT a, b"),
        ("data.uri=postgresql://ada@/rents?host=/tmp&port=1", "postgresql://ada@/rents?host=/tmp&port=1"),
    ],
)
def test_hydra_reads_what_was_meant(typed, means):
    parsed = OverridesParser.create().parse_override(quoted(typed)).value()
    plain = {str(k): str(v) for k, v in parsed.items()} if isinstance(parsed, dict) else parsed
    plain = [str(v) for v in plain] if isinstance(plain, list) else plain
    assert plain == means if not isinstance(means, str) else str(getattr(plain, "text", plain)) == means


@pytest.mark.parametrize(
    "name",
    ["größe", "a=b", "a,b", "a[0]", "it's", 'say "x"', "two words", "数", "a:b", "{a}", "$x", "a/b", "a\\b", "#a", "1",
     "true", "-a", "*", "a.b", "~x", "%"],
)  # fmt: skip
def test_a_column_may_have_any_name(name, tmp_path):
    """Typed in quotes of its own: as input, as target, with a unit; and it reaches the run and TensorBoard."""
    inner = name.replace("'", "''")  # as in YAML
    pl.DataFrame({name: [1.0, 2, 4, 5], "y": [3.0, 5, 9, 8]}).write_csv("t.csv")
    listed = f"['{name.replace(chr(39), chr(92) + chr(39))}']"
    words = ["data=table", "data.path=t.csv", "tracking.figures=false", "training.epochs=1", "training.batch_size=null"]
    for key, other in (("inputs", "targets"), ("targets", "inputs")):
        result = run(*words, f"data.{key}={listed}", f"data.{other}=[y]", f"data.units={{'{inner}': km, y: m/s²}}")
        assert result.folder is not None and (result.features if key == "inputs" else result.targets) == [name]
        stored = json.loads((result.folder / "config.json").read_bytes())["data"]
        assert stored["units"] == {name: "km", "y": "m/s²"} and stored[key] == [name]
        found = json.loads((result.folder / "result.json").read_bytes())
        assert found["units"] == {name: "km", "y": "m/s²"}
        assert main(["rerun", str(result.folder)]) == 0


def test_names_beyond_ascii_need_no_quotes_in_units():
    assert quoted("k={größe: cm, b: m}") == 'k=\'{"größe": "cm", "b": "m"}\''
    assert quoted("k={a b: cm}") == "k={a b: cm}"
    assert quoted("k={'a': 'it''s', \"b's\": x}") == """k='{"a": "it\\u0027s", "b\\u0027s": "x"}'"""
    assert quoted("k={'a': [1], b: 2}") == "k={'a': [1], b: 2}"  # Hydra says what it thinks of it


def test_a_column_called_as_a_number_needs_no_quotes(capsys):
    pl.DataFrame({"2019": [1.0, 2, 4], "2020": [3.0, 5, 9]}).write_csv("t.csv")
    result = run("data=table", "data.path=t.csv", "data.targets=[2020]", "training.epochs=1", "tracking.figures=false")
    assert (result.features, result.targets) == (["2019"], ["2020"])
    assert main(["data=table", "data.path=t.csv", "data.targets=[null]"]) == 2
    assert "must be a list of texts; put quotes around null" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["seed=1,2", "k='°F'", 'k=["é"]', "é=1", "k=${é}", "k", "k=", "~k"])
def test_what_hydra_takes_already_is_left_as_it_is(word):
    assert quoted(word) == word


def test_units_and_columns_without_quotes_reach_the_run_and_its_repetition(capsys):
    pl.DataFrame({"größe": [1.0, 2, 4], "gewicht": [3.0, 5, 9]}).write_csv("maße.csv")
    words = ["data=table", "data.path=maße.csv", "data.targets=[gewicht]", "data.inputs=[größe]"]
    words += ["data.units={gewicht: °F}", "training.epochs=2", "tracking.figures=false"]
    result = run(*words)
    assert result.features == ["größe"] and result.folder is not None
    assert json.loads((result.folder / "config.json").read_bytes())["data"]["units"] == {"gewicht": "°F"}
    assert main(["rerun", str(result.folder), "data.units={gewicht: µg}"]) == 0
    assert main(["diagnose", *words[:-2]]) == 0
    assert main(["predict", str(result.folder), "3"]) == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith(" °F")


def test_a_value_that_needs_quotes_is_shown_with_them(capsys):
    assert main(["data=table", "data.path=data (1).csv"]) == 2
    assert "\"data.path='data (1).csv'\"" in capsys.readouterr().err
