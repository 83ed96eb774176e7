"""What goes wrong with a person's file: one line; through the command the right exit status, nothing left behind."""

import math
import random
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from experiments.__main__ import main
from experiments.data.files import reading
from experiments.data.sources.stream import Stream
from experiments.data.sources.table import Table
from experiments.data.streaming.reader import Reader
from experiments.errors import DataChanged, UserError
from tests.support.requests import answered

QUICK = ("tracking.figures=false", "tracking.tensorboard=false", "training.epochs=1", "optimizer.lr=1e-3")
IN_MEMORY = ("csv", "tsv", "parquet", "arrow", "feather", "npy", "npz")
STREAMED = ("csv", "tsv", "parquet", "npy")
BOTH = [("table", ending) for ending in IN_MEMORY] + [("stream", ending) for ending in STREAMED]
A, B = np.random.default_rng(0).standard_normal((2, 30))
GOOD = {"a": A, "b": B, "y": A + 2 * B}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def at(row, value, column=B):
    """The column with `value` in a row, counted from 1."""
    return [value if i == row - 1 else float(v) for i, v in enumerate(column)]


def write(ending, columns, name="t"):
    path, frame = f"{name}.{ending}", pl.DataFrame(columns)
    if ending in ("csv", "tsv"):
        frame.write_csv(path, separator="," if ending == "csv" else "\t")
    elif ending == "parquet":
        frame.write_parquet(path)
    elif ending == "npy":
        np.save(path, frame.to_numpy())
    elif ending == "npz":
        np.savez(path, **{name: frame[name].to_numpy() for name in frame.columns})  # type: ignore[arg-type]  # for all it knows, allow_pickle
    else:
        frame.write_ipc(path)
    return path


def ask(data, path, *words):
    target = f"c{len(GOOD)}" if path.lower().endswith(".npy") else "y"
    status, _, err = answered([f"data={data}", f"data.path={path}", f"data.targets=[{target}]", *QUICK, *words])
    return status, err


def loaded(data, path, **keys):
    """x and y of all the rows, as data=table or data=stream reads them."""
    keys = {"targets": [f"c{len(GOOD)}" if path.lower().endswith(".npy") else "y"], **keys}
    if data == "table":
        found = Table(path=path, **keys).load()
        return [found.x, found.y]
    return list(Stream(path=path, block_rows=7, **keys).open()[0].tables(math.inf))


def refused(data, path, said, kind: type[Exception] = UserError, **keys):
    with pytest.raises(kind) as caught:
        loaded(data, path, **keys)
    text = str(caught.value)
    assert "\n" not in text and said in text
    assert "cache" not in text.replace("own_cache", "")  # the user's own file is named, not our copy of it


def refused_by_command(data, path, said, *words, status=2):
    found, err = ask(data, path, *words)
    assert found == status, err
    assert err.startswith("error: ") and err.count("\n") == 1 and said in err, err
    assert not list(Path("outputs").rglob("*.json")) and not list(Path("outputs").glob("runs/*"))


MISSING = float("nan")
CELLS = {
    "a missing cell": ({**GOOD, "b": at(17, MISSING)}, "row 17, column {b} is missing"),
    "a missing target": ({**GOOD, "y": at(4, MISSING)}, "row 4, column {y} is missing"),
    "an empty column": ({**GOOD, "b": np.full(30, MISSING)}, "of column {b} is missing; leave it out of data.inputs"),
    "an infinity": ({**GOOD, "b": at(20, np.inf)}, "row 20, column {b} is inf: infinite, or beyond 1.8e308"),
    "an infinite target": ({**GOOD, "y": at(30, -np.inf)}, "row 30, column {y} is -inf: infinite"),
    "no rows": ({name: column[:0] for name, column in GOOD.items()}, "the table has no rows"),
    "no such target": ({"a": A, "b": B, "yy": B}, "did you mean {yy}?"),
}


@pytest.mark.parametrize(("data", "ending"), BOTH)
@pytest.mark.parametrize("case", CELLS)
def test_a_bad_cell_is_named(data, ending, case):
    columns, said = CELLS[case]
    names = {"a": "c1", "b": "c2", "y": "c3"} if ending == "npy" else {n: n for n in (*GOOD, "yy")}
    if case == "no such target" and ending == "npy":
        columns, said = {"a": A, "b": B}, "there is no column c3; there are c1, c2"
    refused(data, write(ending, columns), said.format(**names))


@pytest.mark.parametrize("data", ["table", "stream"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_text_among_numbers_is_named_and_columns_of_text_are_left_out(data, ending):
    mostly = {**GOOD, "b": [f"{v}" if i != 16 else "x17" for i, v in enumerate(B)]}
    refused(data, write(ending, mostly), "row 17, column b is x17, no number")
    status, err = ask(data, write(ending, {**GOOD, "b": ["north", "south"] * 15}))
    assert status == 0 and err.startswith("warning: not used: b, which holds text; data") and err.count("\n") == 1
    refused(data, write(ending, {"a": ["w"] * 30, "y": A}), "no numeric column is left for the inputs; not used: a")


TEXTS = {
    "": "the file is empty",
    "\n\n": "the file is empty, apart from blanks",
    "  \n \n": "the file is empty, apart from blanks",
    "a,b,y\n\n\n": "the table has no rows",
    "a,b,y\n": "the table has no rows",  # below its header
    "a,b,y": "the table has no rows",
    "a,a,y\n1,2,3\n": "two columns are called a",
    "a, a ,y\n1,2,3\n": "two columns are called a",
    "a,Unnamed: 1,\n1,2,3\n": "there is no column y; there are a, Unnamed: 1, Unnamed: 2",
    "Unnamed: 1,,y\n1,2,3\n": "two columns are called Unnamed: 1",
    "a,y\n1,1\n2e308,2\n3,3\n": "row 2, column a is inf: infinite, or beyond 1.8e308",
    "a,y\n1,1\n2,-2e308\n3,3\n": "row 2, column y is -inf: infinite, or beyond 1.8e308",
    "a,y\n1,2\n3\n4,5\n": "row 2, column y is missing",
    "a,y\n1,2\n3,4,5\n": "a line has more cells than the header",
    'a,y\n1,"2\n3,4\n': "a quotation mark is not closed",
    'a,b,y\n1,2"3,3\n4,5,6\n7,8,9\n': "a quotation mark is not closed, or stands inside a cell",
}


@pytest.mark.parametrize("data", ["table", "stream"])
@pytest.mark.parametrize("text", TEXTS)
def test_a_bad_csv_is_one_line(data, text):
    Path("t.csv").write_text(text, encoding="utf-8")
    refused(data, "t.csv", TEXTS[text])


@pytest.mark.parametrize("data", ["table", "stream"])
def test_csv_as_people_have_it(data):
    """Blanks around names, a byte order mark, Windows' line ends, semicolons with a decimal comma, quoted names."""
    for text in (
        "\ufeffa , b,y\r\n1.5,2,3\r\n2.5,1,4\r\n3.5,7,9\r\n",
        "a;b;y\n1,5;2;3\n2,5;1;4\n3,5;7;9\n",
        "a;b;y\n1.5;2;3\n2.5;1;4\n3.5;7;9\n",
        '"a","b","y"\n"1.5","2","3"\n"2.5","1","4"\n"3.5","7","9"\n',
    ):
        Path("t.csv").write_text(text, encoding="utf-8", newline="")
        if data == "table":
            frame = reading.read(Path("t.csv"))
            assert [[float(v) for v in row] for row in frame.rows()] == [[1.5, 2, 3], [2.5, 1, 4], [3.5, 7, 9]]
        else:
            rows = Reader(Path("t.csv"), 10)
            assert rows.frame(rows.blocks[0], ["b", "a"]).rows() == [(2, 1.5), (1, 2.5), (7, 3.5)]


def test_a_bad_place_or_file_is_one_line():
    for ending in IN_MEMORY:
        write(ending, GOOD)
        Path(f"empty.{ending}").touch()
        content = Path(f"t.{ending}").read_bytes()
        Path(f"cut.{ending}").write_bytes(content[: len(content) * 2 // 3])
        Path(f"junk.{ending}").write_bytes(bytes(range(255, 0, -1)) * 8)
    Path("folder").mkdir()
    Path("folder.parquet").mkdir()
    Path("t").write_text("a,y\n1,2\n")
    np.save("complex.npy", np.zeros((3, 3), complex))
    np.save("objects.npy", np.array([[1, "x"]], object))
    np.save("flat.npy", np.zeros(3))
    np.save("words.npy", np.array([["a", "b"]]))
    np.save("columns.npy", np.zeros((3, 0)))
    np.savez("complex.npz", a=np.zeros(3, complex), y=np.zeros(3))
    np.savez("twice.npz", a=np.zeros((3, 2)), a1=np.zeros(3), y=np.zeros(3))
    np.savez("lengths.npz", a=np.zeros(3), y=np.zeros(4))
    np.savez("none.npz")
    for data, endings in (("table", IN_MEMORY), ("stream", STREAMED)):
        for ending in endings:
            refused(data, f"empty.{ending}", "the file is empty")
            refused(data, f"tt.{ending}", f"there is no such file; did you mean t.{ending}?")
            if ending != "csv" and ending != "tsv":
                refused(data, f"cut.{ending}", f"cannot be read as {ending}")
            refused(data, f"junk.{ending}", f"cannot be read as {ending}")
        refused(data, "folder", "folder")
        refused(data, "folder.parquet", "folder")
        refused(data, "t", "its ending must be one of")
        refused(data, "/nowhere/t.csv", "there is no such file")
        refused(data, "complex.npy", "must be numbers of shape (rows, columns)")
        refused(data, "flat.npy", "must be numbers of shape (rows, columns)")
        refused(data, "words.npy", "must be numbers of shape (rows, columns)")
        refused(data, "objects.npy", "it holds Python objects")
        refused(data, "columns.npy", "the table has no columns")
        refused(data, "t.parquet", "names a twice", inputs=["a", "a"])
        refused(data, "t.parquet", "names y twice", targets=["y", "y"])
        refused(data, "t.parquet", "data.validation_path=nowhere.csv: there is", validation_path="nowhere.csv")
    refused("table", "complex.npz", "a holds complex128 of shape (3,)")
    refused("table", "twice.npz", "two columns are called a1")
    refused("table", "lengths.npz", "different lengths")
    refused("table", "none.npz", "the table has no columns")


@pytest.mark.parametrize(("data", "ending"), [("table", "csv"), ("table", "npy"), ("stream", "parquet")])
def test_one_row_and_more_features_than_rows_work_and_are_said(data, ending):
    one = {name: column[:1] for name, column in GOOD.items()}
    status, err = ask(data, write(ending, one))
    assert status == 0 and "the optimum is not unique: rank 1 of 3 columns" in err
    assert "2 features but only 1 row: infinitely many weights fit" in err
    wide = np.random.default_rng(1).standard_normal((5, 9))
    columns = {"y": wide[:, 8]} | {f"f{i}": wide[:, i] for i in range(8)}
    words = ["data.targets=[c1]"] if ending == "npy" else []
    status, err = ask(data, write(ending, columns), *words)
    assert status == 0 and "rank 5 of 9 columns" in err and "8 features but only 5 rows" in err
    assert err.count("\n") == 2


def test_a_file_named_in_capitals_is_read():
    for ending in ("npy", "parquet", "csv"):
        Path(write(ending, GOOD)).rename(f"U.{ending.upper()}")
        for data in ("table", "stream"):
            assert len(loaded(data, f"U.{ending.upper()}")[0]) > 0


@pytest.mark.parametrize("ending", IN_MEMORY)
def test_files_with_a_few_wrong_bytes_are_read_or_refused_in_one_line(ending):
    content, dice = Path(write(ending, GOOD)).read_bytes(), random.Random(0)
    for number in range(60):
        spoilt = bytearray(content)
        for _ in range(dice.randint(1, 8)):
            spoilt[dice.randrange(len(spoilt))] = dice.randrange(256)
        path = Path(f"{number}.{ending}")
        path.write_bytes(spoilt[: dice.choice((len(spoilt), dice.randrange(1, len(spoilt))))])
        for data in ("table", "stream") if ending in STREAMED else ("table",):
            error, parts = outcome(data, str(path))
            assert "\n" not in error and all(torch.isfinite(part).all() for part in parts)


def outcome(data, path):
    try:
        return "", loaded(data, path)
    except UserError as error:
        return str(error), []


@pytest.mark.parametrize("data", ["table", "stream"])
@pytest.mark.parametrize("ending", ["csv", "parquet", "npy"])
def test_a_file_that_changes_or_goes_while_it_is_read(data, ending, monkeypatch):
    path, count = write(ending, GOOD), iter(range(1, 1000))
    monkeypatch.setattr(reading, "stamp", lambda path: (0, next(count)))
    refused(data, path, f"t.{ending}: the file changed while it was read; wait until it is written", DataChanged)
    Path(path).unlink()
    with pytest.raises(DataChanged, match=f"t.{ending}: the file has gone"), reading.guarded(Path(path), (0, 0)):
        pass


@pytest.mark.parametrize("data", ["table", "stream"])
def test_the_command_says_it_in_one_line_and_leaves_nothing(data, monkeypatch):
    bad = write("csv", {**GOOD, "b": at(20, np.inf)}, "bad")
    refused_by_command(data, bad, "row 20, column b is inf")
    refused_by_command(data, "nowhere.parquet", "there is no such file")
    refused_by_command(data, write("parquet", GOOD), "data.targets=y: must be a list, as [y]", "data.targets=y")
    count = iter(range(99))
    monkeypatch.setattr(reading, "stamp", lambda path: (0, next(count)))
    refused_by_command(data, "t.parquet", "the file changed while it was read", status=1)


@pytest.mark.parametrize(
    ("data", "ending", "seed"), [("table", "arrow", 19), ("table", "parquet", 9), ("stream", "parquet", 9)]
)
def test_the_error_is_the_last_line_whatever_polars_says_of_a_damaged_file(
    data: str, ending: str, seed: int, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Its threads may print a panic of their own before: those files are such, with the polars of today."""
    place, dice, spoil = tmp_path / f"t.{ending}", np.random.default_rng(0), random.Random(seed)
    if ending == "arrow":
        pl.DataFrame({"x": [float(i) for i in range(20)], "y": [float(i) for i in range(20)]}).write_ipc(place)
    else:
        columns = {"x": dice.standard_normal(200).astype(np.float32), "y": dice.standard_normal(200)}
        pl.DataFrame(columns).write_parquet(place, row_group_size=50)
    content = bytearray(place.read_bytes())
    for _ in range(3):
        content[spoil.randrange(len(content))] = spoil.randrange(256)
    place.write_bytes(content)
    assert main([f"data={data}", f"data.path={place}", "data.targets=[y]", *QUICK]) == 2
    said = capfd.readouterr().err
    assert said.splitlines()[-1].startswith("error: data.path=") and "Traceback" not in said
    assert sum(line.startswith("error: ") for line in said.splitlines()) == 1


@pytest.mark.parametrize("key", ["data.one_hot=[tags]", "data.validation_column=tags"])
def test_a_column_of_lists_is_no_column_of_words(key: str, tmp_path: Path) -> None:
    pl.DataFrame({**GOOD, "tags": [["a"]] * 15 + [["b"]] * 15}).write_parquet(tmp_path / "t.parquet")
    place = tmp_path / "t.parquet"
    status, _, err = answered(["diagnose", "data=table", f"data.path={place}", "data.targets=[y]", key])
    assert status == 2
    assert "tags holds List(String); its cells must be text" in err and err.count("\n") == 1


@pytest.mark.parametrize("command", [[], ["diagnose"]])
def test_a_columns_name_is_printed_harmless(command: list[str], tmp_path: Path) -> None:
    place = tmp_path / "t.csv"
    pl.DataFrame({"\x1b[31m": A, "b": B, "\u202ey": A + B}).write_csv(place)
    words = [*command, "data=table", f"data.path={place}", "data.targets=['\u202ey']", *QUICK]
    if not command:
        words.append(f"hydra.run.dir={tmp_path / 'run'}")
    status, out, err = answered(words)
    assert status == 0, err
    assert "\x1b" not in out + err and "\u202e" not in out + err
