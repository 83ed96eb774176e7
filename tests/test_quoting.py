"""Values beyond ASCII, as people type them: units, names of columns, paths."""

import json

import polars as pl
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments.__main__ import main
from experiments.application import run
from experiments.quoting import quoted


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
    ],
)
def test_hydra_reads_what_was_meant(typed, means):
    parsed = OverridesParser.create().parse_override(quoted(typed)).value()
    plain = {str(k): str(v) for k, v in parsed.items()} if isinstance(parsed, dict) else parsed
    plain = [str(v) for v in plain] if isinstance(plain, list) else plain
    assert plain == means if not isinstance(means, str) else str(getattr(plain, "text", plain)) == means


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
