"""CSV files as spreadsheets, pandas and other countries write them; what is no CSV is said to be what it is."""

import gzip
import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from experiments.data.files.dialect import csv_options
from experiments.data.files.reading import read
from experiments.data.sources.stream import Stream
from experiments.data.sources.table import Table
from experiments.data.streaming.reader import Reader
from experiments.errors import UserError

ROWS = [(1.5, 2.0, 3.0), (2.5, 1.0, 4.0), (3.5, 7.0, 9.0)]
PLAIN = "a,b,y\n1.5,2,3\n2.5,1,4\n3.5,7,9\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def opened(source: type[Table] | type[Stream], path: str) -> object:
    found = source(path=path, targets=["y"])
    return found.load() if isinstance(found, Table) else found.open()


AS_WRITTEN = {
    "blank lines at the end": PLAIN + "\n\n",
    "a blank line after each": PLAIN.replace("\n", "\n\n"),
    "blank lines before": "\n  \n" + PLAIN,
    "empty rows of a spreadsheet": PLAIN + ",,\n,,\n",
    "tabs": PLAIN.replace(",", "\t"),
    "bars": PLAIN.replace(",", "|"),
    "semicolons and a comma in a name": PLAIN.replace(",", ";").replace("b", "b, in m"),
    "semicolons and a comma in a quoted name": PLAIN.replace(",", ";").replace("b", '"b, in m, of all, that"'),
    "commas and semicolons in a quoted name": PLAIN.replace("b", '"b;c;d;e"'),
    "lines of an old Mac": PLAIN.replace("\n", "\r"),
    "lines of Windows": PLAIN.replace("\n", "\r\n"),
    "a byte order mark and a blank line": "\ufeff\n" + PLAIN,
    "no end of the last line": PLAIN.rstrip("\n"),
}


@pytest.mark.parametrize("case", AS_WRITTEN)
def test_the_same_rows_however_they_are_written(case: str) -> None:
    Path("t.csv").write_text(AS_WRITTEN[case], encoding="utf-8", newline="")
    assert [tuple(map(float, row)) for row in read(Path("t.csv")).rows()] == ROWS
    reader = Reader(Path("t.csv"), 10)
    assert [tuple(map(float, row)) for row in reader.frame(reader.blocks[0], reader.names).rows()] == ROWS


def test_a_tsv_with_commas_is_read_by_its_commas() -> None:
    Path("t.tsv").write_text(PLAIN)
    assert read(Path("t.tsv")).columns == ["a", "b", "y"]
    Path("t.tsv").write_text(PLAIN.replace(",", "\t").replace("b", "b,c,d,e"))
    assert read(Path("t.tsv")).columns == ["a", "b,c,d,e", "y"]


def test_a_single_column_keeps_its_empty_cells() -> None:
    Path("t.csv").write_text("a\n1\n\n3\n")
    assert read(Path("t.csv"))["a"].to_list() == [1, None, 3]


OTHER_CONTENT = {
    "gzip": (gzip.compress(PLAIN.encode()), "compressed (gzip); give it the ending .gz"),
    "excel": (b"PK\x03\x04" + bytes(60), "an Excel workbook; unpack it, or give it the ending .xlsx"),
    "windows-1252 header": ("größe,b,y\n1,2,3\n".encode("cp1252"), "not in UTF-8 (Windows-1252, perhaps)"),
    "windows-1252 cell": ("a,b,y\n1,2,größe\n".encode("cp1252"), "it is not in UTF-8"),
    "utf-16 without mark": (PLAIN.encode("utf-16-le"), "not in UTF-8 (UTF-16, perhaps)"),
    "zeros": (bytes(100), "not in UTF-8"),
}


@pytest.mark.parametrize("source", [Table, Stream])
@pytest.mark.parametrize("case", OTHER_CONTENT)
def test_what_is_no_csv_is_said_to_be_what_it_is(case: str, source: type[Table] | type[Stream]) -> None:
    content, said = OTHER_CONTENT[case]
    Path("t.csv").write_bytes(content)
    with pytest.raises(UserError, match=r"t\.csv: cannot be read as csv: ") as caught:
        opened(source, "t.csv")
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_parquet_called_csv_is_told(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1.0], "y": [2.0]}).write_parquet(tmp_path / "p.csv")
    with pytest.raises(UserError, match=r"it is Parquet; give it the ending \.parquet"):
        csv_options(tmp_path / "p.csv")


def test_a_column_without_a_name_is_no_input_unless_it_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """As pandas writes its index, and spreadsheets the commas of empty columns."""
    pl.DataFrame({"": [0, 1, 2], "a": [1.0, 2.0, 4.0], "y": [3.0, 5.0, 9.0]}).write_csv("t.csv")
    Path("trailing.csv").write_text("a,y,,\n1,3,,\n2,5,,\n4,9,,\n")
    for source in (Table, Stream):
        for path, said in (("t.csv", "Unnamed: 0"), ("trailing.csv", "Unnamed: 2, Unnamed: 3")):
            caplog.clear()
            found = source(path=path, targets=["y"])
            names = found.load().features if isinstance(found, Table) else found.open()[0].encoding.features
            assert tuple(names) == ("a",)
            assert f"not used: {said}, which " in caplog.text and "data.inputs can name" in caplog.text
    assert Table(path="t.csv", targets=["y"], inputs=["a", "Unnamed: 0"]).load().x.tolist() == [[1, 0], [2, 1], [4, 2]]


@pytest.mark.parametrize("source", [Table, Stream])
def test_what_is_no_file_is_refused_and_never_waited_for(source: type[Table] | type[Stream]) -> None:
    os.mkfifo("pipe.csv")
    os.mkfifo("pipe.parquet")
    Path("loop.csv").symlink_to("loop.csv")
    Path("dangling.csv").symlink_to("nowhere.csv")

    def ask(path: str) -> str:
        with pytest.raises(UserError) as caught:
            opened(source, path)
        return str(caught.value)

    assert "pipe.csv: is a pipe or a device" in ask("pipe.csv")
    assert "pipe.parquet: is a pipe or a device" in ask("pipe.parquet")
    assert "loop.csv: is a link that leads to no file" in ask("loop.csv")
    assert "dangling.csv: is a link that leads to no file" in ask("dangling.csv")
    if source is Stream:
        assert "pipe.parquet: is a pipe or a device" in ask(".")


@pytest.mark.parametrize("source", [Table, Stream])
def test_what_may_not_be_read_is_told(source: type[Table] | type[Stream], monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulated: who runs the tests as root may read everything."""
    Path("t.csv").write_text(PLAIN)
    Path("closed").mkdir()
    real_open, real_stat = Path.open, Path.stat

    def refused_open(path: Path, *args: Any, **keys: Any) -> Any:
        if path.name == "t.csv":
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, *args, **keys)

    def refused_stat(path: Path, **keys: Any) -> Any:
        if path.parent.name == "closed":
            raise PermissionError(13, "Permission denied", str(path))
        return real_stat(path, **keys)

    monkeypatch.setattr(Path, "open", refused_open)
    with pytest.raises(UserError, match=r"t\.csv: no permission to read it"):
        opened(source, "t.csv")
    monkeypatch.setattr(Path, "stat", refused_stat)
    with pytest.raises(UserError, match=r"closed/t\.csv: no permission for a folder above it"):
        opened(source, "closed/t.csv")
    if source is Stream:
        monkeypatch.setattr(os, "access", lambda *args: False)
        with pytest.raises(UserError, match="closed: no permission to read the folder"):
            opened(source, "closed")


@pytest.mark.parametrize("source", [Table, Stream])
@pytest.mark.parametrize("text", ["x" * 200_000 + ",y\n1,2\n", "a,y\n1," + "9" * 200_000 + "\n"])
def test_a_cell_of_any_length_makes_one_short_line(source: type[Table] | type[Stream], text: str) -> None:
    Path("t.csv").write_text(text)
    with pytest.raises(UserError) as caught:
        opened(source, "t.csv")
    assert len(str(caught.value)) < 600 and "\n" not in str(caught.value)
