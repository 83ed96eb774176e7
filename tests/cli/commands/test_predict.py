"""predict: values, tables, warnings, and mistakes in one line; the numbers are those of the weights written here."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import orjson
import polars as pl
import pytest
from safetensors.numpy import save_file

from benchmarks.stored_runs import write_run
from experiments import load_run
from experiments.__main__ import main
from experiments.errors import UserError

Capture = pytest.CaptureFixture[str]
FEATURES = ["temp", "rainfall", "humidity"]
WEIGHT = np.array([[1.0, 2.0, 3.0], [0.0, -1.0, 0.5]])
BIAS = np.array([10.0, 20.0])
ROW = [75.0, 63.0, 44.0]
APPLES, ORANGES = 75 + 126 + 132 + 10, -63 + 22 + 20


@pytest.fixture
def run(tmp_path: Path) -> str:
    ranges = {"temp": [68, 103], "rainfall": [43, 135], "humidity": [36, 71]}
    folder = write_run(tmp_path / "run", 1e-5, 0, epochs=2, ranges=ranges, units={"apples": "t/ha"})
    save_file({"weight": WEIGHT, "bias": BIAS}, folder / "model.safetensors")
    return str(folder)


@pytest.fixture
def encoded(tmp_path: Path) -> str:
    """yield = 1 loam + 2 sand + 10 temp + 100 day + 5, where soil is clay, loam or sand, and a missing temp is 7."""
    features = ["soil=loam", "soil=sand", "temp", "day"]
    folder = write_run(tmp_path / "run", 1e-5, 0, epochs=2, features=features, targets=["yield"])
    save_file({"weight": np.array([[1.0, 2.0, 10.0, 100.0]]), "bias": np.array([5.0])}, folder / "model.safetensors")
    encoding = {
        "inputs": ["soil", "temp", "day"],
        "levels": {"soil": ["clay", "loam", "sand"]},
        "means": {"temp": 7.0},
    }
    (folder / "encoding.json").write_bytes(orjson.dumps(encoding))
    return str(folder)


def refused(words: Sequence[str], capsys: Capture) -> str:
    """The one line of a mistake."""
    assert main(["predict", *words]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and said.err.count("\n") == 1
    return said.err


def test_values_negative_ones_too(run: str, capsys: Capture) -> None:
    assert main(["predict", run, "-3,5,6", "75,63,44"]) == 0
    said = capsys.readouterr()
    assert said.out == "apples 35 t/ha, oranges 18\napples 343 t/ha, oranges -21\n"
    assert "temp=-3 is outside the training data (68 to 103)" in said.err


@pytest.mark.parametrize(
    "row", ["75,63,44", " 75, 63 ,44", "[75,63,44]", "7.5e1,63,44", "humidity=44,temp=75,rainfall=63"]
)
def test_ways_to_write_a_row(run: str, row: str, capsys: Capture) -> None:
    assert main(["predict", run, row]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"apples {APPLES} t/ha, oranges {ORANGES}\n", "")


FRAME = pl.DataFrame({"humidity": [44.0], "note": ["x"], "temp": [75], "rainfall": ["63"]})


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet", ".arrow", ".npy"])
def test_tables_of_every_format_by_name_in_any_order(run: str, suffix: str, tmp_path: Path, capsys: Capture) -> None:
    table = tmp_path / f"in{suffix}"
    if suffix == ".npy":  # no names: by position
        np.save(table, np.array([ROW]))
    elif suffix in (".csv", ".tsv"):
        FRAME.write_csv(table, separator="," if suffix == ".csv" else "\t")
    else:
        (FRAME.write_parquet if suffix == ".parquet" else FRAME.write_ipc)(table)
    assert main(["predict", run, "--table", str(table)]) == 0
    assert capsys.readouterr().out == f"apples {APPLES} t/ha, oranges {ORANGES}\n"


@pytest.mark.parametrize(
    "text", ["75,63,44\n75,63,44\n", "75;63;44\n75;63;44", "75|63|44\n75|63|44\n", "1,1,1\n75,63,44"]
)
def test_a_csv_without_a_header(run: str, text: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "in.csv").write_text(text)
    assert main(["predict", run, "--table", "in.csv"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2 and out[1] == f"apples {APPLES} t/ha, oranges {ORANGES}"


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_out_is_the_table_with_predictions_added(run: str, suffix: str, tmp_path: Path, capsys: Capture) -> None:
    FRAME.write_parquet(tmp_path / "in.parquet")
    out = tmp_path / f"out{suffix}"
    assert main(["predict", run, "--table", "in.parquet", "--out", str(out)]) == 0
    written = pl.read_csv(out) if suffix == ".csv" else pl.read_parquet(out)
    assert written.columns == [*FRAME.columns, "apples_predicted", "oranges_predicted"]
    assert written.select("apples_predicted", "oranges_predicted").rows() == [(APPLES, ORANGES)]
    assert capsys.readouterr().out == f"1 rows: {out}\n"


def test_rows_that_can_be_answered_are_and_the_others_are_named(encoded: str, capsys: Capture) -> None:
    lines = ["soil,temp,day", "clay,3,2", "mud,3,2", "loam,hot,2", "sand,,2", "clay,3,", "loam,3,2"]
    Path("in.csv").write_text("\n".join(lines))
    assert main(["predict", encoded, "--table", "in.csv"]) == 0
    said = capsys.readouterr()
    assert said.out.split("\n") == ["yield 235", "", "", "yield 277", "", "yield 236", ""]
    named = ("row 2, column soil is mud", "row 3, column temp: hot", "row 5, column day: nothing")
    for line, words in zip(said.err.splitlines(), named, strict=True):
        assert line.startswith("warning: no prediction: in.csv: ") and words in line
    assert main(["predict", encoded, "--table", "in.csv", "--out", "out.csv"]) == 0
    assert capsys.readouterr().out == "3 rows: out.csv (3 without a prediction)\n"
    assert pl.read_csv("out.csv")["yield_predicted"].to_list() == [235.0, None, None, 277.0, None, 236.0]
    Path("many.csv").write_text("\n".join(["soil,temp,day", "clay,3,2", *["mud,3,2"] * 15]))
    assert main(["predict", encoded, "--table", "many.csv"]) == 0
    assert capsys.readouterr().err.splitlines()[-1] == "warning: no prediction for 5 rows more"


def test_many_values_outside_are_one_warning(run: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "in.csv").write_text("temp,rainfall,humidity\n75,63,44\n300,63,44\n301,63,44\n")
    assert main(["predict", run, "--table", "in.csv"]) == 0
    said = "warning: temp: 2 values are outside the training data (68 to 103), where nothing was learned\n"
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("1,2", "1,2: 2 values; the model takes 3: temp, rainfall, humidity"),
        ("1,2,3,4", "4 values; the model takes 3"),
        ("1,x,3", "x: given for rainfall, where a finite number belongs"),
        ("1,nan,3", "nan: given for rainfall"),
        ("1,,3", "nothing: given for rainfall"),
        ("1,2,1e999", "1e999: given for humidity"),
        ("", "1 value; the model takes 3"),
        ("temp=1,rainfal=2,humidity=3", "rainfal: the model has no such input; did you mean rainfall?"),
        ("temp=1,2,3", "some have no name"),
        ("temp=1,temp=2,humidity=3", "an input is named twice"),
        ("\x1b[31m,2,3", "?[31m: given for temp"),
    ],
)
def test_mistakes_in_values_are_one_line(run: str, row: str, words: str, capsys: Capture) -> None:
    assert words in refused([run, row], capsys)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("temp,rainfall\n75,63\n", "in.csv: there is no column humidity"),
        ("temp,rainfall,humidty\n75,63,44\n", "there is no column humidity; did you mean humidty?"),
        (
            "temp,rainfall,humidity\n75,much,44\n75,high,44\n",
            "in.csv: row 1, column rainfall: much where a finite number belongs (and none of the other 1 rows)",
        ),
        ("temp,rainfall,humidity\n75,,44\n", "row 1, column rainfall: nothing where"),
        ("temp,rainfall,humidity\n75,inf,44\n", "row 1, column rainfall: inf where"),
        ("temp,rainfall,humidity\n", "in.csv: the table has no rows"),
        ("75,63\n75,63\n", "in.csv: 2 columns without names; the model takes 3"),
        ("", "in.csv: the file is empty"),
        ("temp,rainfall,humidity\n1,2,3,4,5\n", "in.csv: "),
    ],
)
def test_mistakes_in_tables_are_one_line(run: str, text: str, words: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "in.csv").write_text(text)
    assert words in refused([run, "--table", "in.csv"], capsys)


def test_mistakes_in_the_request_are_one_line(run: str, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "in.csv").write_text("temp,rainfall,humidity\n75,63,44\n")
    (tmp_path / "empty").mkdir()
    for words, said in (
        ([], "RUN"),
        ([run], "give either rows, as 75,63,44, or --table FILE"),
        ([run, "1,2,3", "--table", "in.csv"], "give either"),
        ([run, "1,2,3", "--out", "a.csv"], "--out goes with --table"),
        ([run, "--table", "in.csv", "--out", "a.txt"], "must end in .csv or .parquet"),
        ([run, "--table", "in.csv", "--out", "no/a.csv"], "no/a.csv: can't be written"),
        ([run, "--table", "no.csv"], "no.csv: there is no such file"),
        ([run, "--table", "empty"], "empty: is a folder without CSV files"),
        (["nosuch", "1,2,3"], "nosuch: "),
    ):
        assert said in refused(words, capsys), words


def test_a_run_without_weights_or_result_says_so(run: str, capsys: Capture) -> None:
    (Path(run) / "model.safetensors").unlink()
    assert "run: there is no model.safetensors (status completed)" in refused([run, "1,2,3"], capsys)
    (Path(run) / "result.json").unlink()
    assert "run: the run has no result yet" in refused([run, "1,2,3"], capsys)


def test_a_diverged_run_warns(run: str, capsys: Capture) -> None:
    result = orjson.loads((Path(run) / "result.json").read_bytes())
    (Path(run) / "result.json").write_bytes(orjson.dumps(result | {"status": "diverged"}))
    assert main(["predict", run, "75,63,44"]) == 0
    assert capsys.readouterr().err == "warning: this run diverged; its predictions mean nothing\n"


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("clay,3,2", 235.0),
        ("loam,3,2", 236.0),
        ("day=2,soil=sand,temp=3", 237.0),
        ("sand,,2", 277.0),
        ("clay,NA,0", 75),
    ],
)
def test_levels_and_means_as_in_training(encoded: str, row: str, expected: float, capsys: Capture) -> None:
    assert main(["predict", encoded, row]) == 0
    assert capsys.readouterr().out == f"yield {expected:g}\n"


def test_a_table_with_levels_dates_and_missing_cells(encoded: str, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("day,soil,temp\n1970-01-03,loam,3\n1970-01-02,clay,\n")
    assert main(["predict", encoded, "--table", "in.csv", "--out", "out.csv"]) == 0
    assert pl.read_csv("out.csv")["yield_predicted"].to_list() == [236.0, 175.0]
    frame = pl.DataFrame({"temp": [3], "day": [date(1970, 1, 3)], "soil": ["sand"]})
    assert load_run(encoded).predict(frame).tolist() == [[237.0]]
    with pytest.raises(UserError, match="rows: there is no column temp"):
        load_run(encoded).predict(frame.drop("temp"))


def test_a_foreign_level_gets_the_nearest(encoded: str, tmp_path: Path, capsys: Capture) -> None:
    assert "soil is sandd; must be one of its categories clay, loam, sand; did you mean sand?" in refused(
        [encoded, "sandd,3,2"], capsys
    )
    (tmp_path / "in.csv").write_text("day,soil,temp\n2,mud,3\n")
    assert "in.csv: row 1, column soil is mud" in refused([encoded, "--table", "in.csv"], capsys)
    assert "clay,3: 2 values; the model takes 3: soil, temp, day" in refused([encoded, "clay,3"], capsys)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "encoding.json can't be used: encoding.json is not JSON"),
        (b"[]", "holds no object"),
        (b"{}", "inputs is no list of names"),
        (b'{"inputs":["a"],"levels":[],"means":{}}', "levels is no mapping"),
        (b'{"inputs":["a"],"levels":{"a":[]},"means":{}}', "levels is no mapping"),
        (b'{"inputs":["a"],"levels":{"a":[1]},"means":{}}', "levels is no mapping"),
        (b'{"inputs":["a"],"levels":{},"means":{"a":"x"}}', "means is no mapping"),
        (b'{"inputs":["a"],"levels":{},"means":{}}', "encoding.json and result.json name different inputs"),
        (
            b'{"inputs":["soil","temp","day","b","b"],"levels":{"soil":["clay","loam","sand"],"b":["x"]},"means":{}}',
            "inputs has a name twice",
        ),
    ],
)
def test_an_encoding_that_does_not_fit(encoded: str, content: bytes, words: str, capsys: Capture) -> None:
    (Path(encoded) / "encoding.json").write_bytes(content)
    assert words in refused([encoded, "clay,3,2"], capsys)


@pytest.mark.parametrize("source", ["table", "stream"])
def test_dates_times_and_booleans_are_typed_as_they_stand_in_the_table(
    source: str, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    lines = [f"2024-01-{i + 1:02d},2024-01-{i + 1:02d}T{i:02d}:30:00Z,{i:02d}:15,{i % 3 == 0},{i * i},{i % 7}"
             for i in range(20)]  # fmt: skip
    Path("t.csv").write_text("\n".join(["day,at,clock,open,n,y", *lines]) + "\n")
    words = [f"data={source}", "data.path=t.csv", "data.targets=[y]", "training.epochs=3", "data.standardize=true"]
    assert main([*words, "tracking.figures=false", "tracking.tensorboard=false", "device.dtype=float64"]) == 0
    capsys.readouterr()
    assert main(["predict", "last", "--table", "t.csv"]) == 0
    expected = capsys.readouterr().out.splitlines()[6]
    same = [
        "2024-01-07,2024-01-07T06:30:00Z,06:15,true,36",
        "07.01.2024,2024-01-07T08:30:00+02:00,06:15:00,True,36",
        "19729,2024-01-07 06:30,0.2604166666666667,1,36",
        "open=TRUE, clock=06:15, n=36, at=19729.270833333332, day=07/01/2024",
    ]
    for row in same:
        assert main(["predict", "last", row]) == 0
        assert capsys.readouterr().out.splitlines() == [expected], row
    for row, said in (
        ("2024-13-07,0,0,1,36", "2024-13-07: given for day, where a date as 2024-12-31, or a number of days since"),
        ("true,0,0,1,36", "true: given for day, where a date"),
        ("0,0,2024-01-07,1,36", "2024-01-07: given for clock, where a time as 13:30, or a share of the day, belongs"),
        ("0,0,0,yes,36", "yes: given for open, where true or false, 1 or 0, belongs"),
        ("0,0,0,1,2024-01-07", "2024-01-07: given for n, where a finite number belongs"),
        ('0,0,0,"true",36', "given for open, where true or false"),
        ("0,0,0,,36", "nothing: given for open, where true or false"),
    ):
        assert said in refused(["last", row], capsys)


def test_a_missing_cell_is_one_in_a_prediction_too(encoded: str, tmp_path: Path, capsys: Capture) -> None:
    """Blanks, and every word that stands for one in a table: the mean, 7, is put in."""
    words = ["", "NA", "N/A", "#N/A", "null", "NaN"]
    assert main(["predict", encoded, *(f"clay,{word},0" for word in words)]) == 0
    assert capsys.readouterr().out == "yield 75\n" * len(words)
    (tmp_path / "in.csv").write_text("soil,temp,day\nclay, ,0\nclay,  1 ,0\nclay,N/A,0\n")
    assert main(["predict", encoded, "--table", "in.csv"]) == 0
    assert capsys.readouterr().out == "yield 75\nyield 15\nyield 75\n"
