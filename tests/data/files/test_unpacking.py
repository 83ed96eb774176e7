"""Tables as people have them: packed, in UTF-16, as sheets, in folders; the same rows as from the plain file."""

import gzip
from pathlib import Path

import polars as pl
import pytest
import zstandard

from experiments import run
from experiments.__main__ import main
from experiments.data.files.given_rows import from_file
from experiments.data.files.reading import read
from experiments.data.sources.stream import Stream
from experiments.errors import UserError

FRAME = pl.DataFrame(
    {"area": [30.5, 45.0, 60.25, 80.0], "größe": ["klein", "klein", "groß", "groß"], "rent": [3, 4, 6, 8]}
)
TEXT = FRAME.write_csv()
FILES = {
    "t.csv.gz": gzip.compress(TEXT.encode()),
    "t.CSV.GZ": gzip.compress(TEXT.encode("utf-16")),
    "t.csv.zst": zstandard.compress(TEXT.encode()),
    "t.tsv.zst": zstandard.compress(TEXT.replace(",", "\t").encode()),
    "t.csv": TEXT.encode("utf-16"),
    "big.csv": TEXT.encode("utf-16-be").replace(b"", b"\xfe\xff", 1),
}
QUICK = (
    "training.epochs=2",
    "tracking.figures=false",
    "optimizer.lr=1e-4",
    "data.targets=[rent]",
    "data.one_hot=[größe]",
)


@pytest.mark.parametrize("name", FILES)
def test_the_rows_are_those_of_the_plain_file(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path(name).write_bytes(FILES[name])
    assert read(Path(name)).equals(FRAME) and from_file(name).equals(FRAME)
    reader = Stream(path=name, targets=["rent"]).open()[0].reader
    assert reader.frame(reader.blocks[0], FRAME.columns).equals(FRAME)


def test_a_run_of_a_packed_file_is_that_of_the_plain_one() -> None:
    Path("plain.csv").write_text(TEXT)
    Path("t.csv.gz").write_bytes(FILES["t.csv.gz"])
    packed, plain = (run(*QUICK, "data=table", f"data.path={name}") for name in ("t.csv.gz", "plain.csv"))
    assert packed.parameters == plain.parameters
    assert packed.environment["data_hash"] == plain.environment["data_hash"]


def test_a_workbooks_first_sheet_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    FRAME.write_excel("t.xlsx")
    assert read(Path("t.xlsx")).equals(FRAME.cast({"rent": pl.Int64}))
    holes = pl.DataFrame({"a": ["1", "NA", "2.5"], "b": ["x", "n/a", None]})
    holes.write_excel("holes.xlsx")
    found = read(Path("holes.xlsx"))
    assert found.columns == ["a", "b"] and found["a"].to_list() == [1.0, None, 2.5]
    assert found["b"].to_list() == ["x", None, None]
    assert main([*QUICK, "data=stream", "data.path=t.xlsx"]) == 2
    assert "its ending must be one of" in capsys.readouterr().err


def test_a_folder_of_csv_files_is_one_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("parts/more").mkdir(parents=True)
    Path("parts/1.csv").write_text(FRAME.head(2).write_csv())
    Path("parts/2.csv.gz").write_bytes(gzip.compress(FRAME.select("rent", "größe", "area")[2:3].write_csv().encode()))
    Path("parts/more/3.tsv").write_text(FRAME.tail(1).write_csv(separator="\t"))
    assert read(Path("parts")).equals(FRAME)
    reader = Stream(path="parts", targets=["rent"]).open()[0].reader
    frames = [reader.frame(block, FRAME.columns) for block in reader.blocks]
    assert pl.concat(frames, how="vertical_relaxed").equals(FRAME)
    assert [file.known_as.name for file in reader.files] == ["1.csv", "2.csv.gz", "3.tsv"]
    Path("parts/4.csv").write_text("area,rent\n1,2\n")
    with pytest.raises(UserError, match=r"4\.csv: has no column größe; the files of a folder need the same columns"):
        read(Path("parts"))


def test_files_of_a_folder_may_have_any_names_of_columns_and_kinds_that_go_together() -> None:
    Path("parts").mkdir()
    Path("parts/1.csv").write_text("*,a,b\n1,2,true\n")
    Path("parts/2.csv").write_text("*,a,b\n3,x,false\n")
    assert read(Path("parts")).rows() == [(1, "2", True), (3, "x", False)]
    Path("parts/3.csv").write_text("*,a,b\n3,4,2024-01-31\n")
    with pytest.raises(UserError, match=r"^data\.path=parts: column b differs from file to file: .*bool and date"):
        read(Path("parts"))


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv.zst", "t.csv", "t.xlsx"])
def test_what_is_cut_off_is_told_by_the_files_own_name(name: str) -> None:
    FRAME.write_excel("t.xlsx")
    content = FILES.get(name) or Path(name).read_bytes()
    Path(name).write_bytes(content[:-9])
    with pytest.raises(UserError, match=f"^data.path={name}: cannot be read as {name[2:]}.*") as caught:
        read(Path(name))
    assert "\n" not in str(caught.value)


def test_two_columns_of_one_name_are_told_of_the_packed_file() -> None:
    Path("t.csv.gz").write_bytes(gzip.compress(b"a,a\n1,2\n"))
    with pytest.raises(UserError, match=r"^data\.path=t\.csv\.gz: two columns are called a"):
        read(Path("t.csv.gz"))


@pytest.mark.parametrize("address", ["https://example.org/t.csv", "s3://bucket/t.parquet"])
def test_an_address_is_refused_with_the_reason(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*QUICK, "data=table", f"data.path={address}"]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"error: data.path={address}: is an address") and "fetch it first" in said


@pytest.mark.parametrize("data", ["table", "stream"])
def test_an_empty_path_is_not_the_folder_that_one_is_in(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    FRAME.write_csv("t.csv")
    assert main([f"data={data}", "data.path=", "data.targets=[rent]", "training.epochs=1"]) == 2
    assert capsys.readouterr().err == "error: data.path=: is empty; must be a file or folder\n"
