"""data=sql: the rows of a query as those of a file, in an order of their own; nothing is written to a database."""

import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from experiments import load_run, run
from experiments.__main__ import main
from experiments.config.quoting import quoted
from experiments.data.dataset import data_hash
from experiments.data.prepared import Preparation
from experiments.data.sources import sql
from experiments.data.sources.sql import Sql, answer, ordered
from experiments.data.sources.table import Table
from experiments.errors import Failure, UserError

DB = "sqlite:///flats.db"
QUICK = ("training.epochs=2", "tracking.figures=false", "optimizer.lr=1e-4", "data=sql", f"data.uri={DB}")
ROWS = [
    (30 if i < 1500 else i / 8, None if i < 1500 else i % 7, "BCA"[i % 3], f"2024-02-{i % 28 + 1:02}", i % 5 + i / 3)
    for i in range(2000)
]
"""Cells that are whole numbers, and missing, for longer than a driver's first batch is."""


def flats(rows: list[tuple[Any, ...]], path: str = "flats.db") -> None:
    Path(path).unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE flats (area, floor, city, built, rent)")
        database.executemany("INSERT INTO flats VALUES (?, ?, ?, ?, ?)", rows)
        database.commit()


def found(query: str = "SELECT * FROM flats", uri: str = DB, **keys: Any) -> Sql:
    return Sql(**{"uri": uri, "query": query, "targets": ["rent"], **keys})


def same(one: Any, other: Any) -> None:
    assert one.features == other.features and data_hash(one) == data_hash(other)
    assert torch.equal(one.x, other.x) and torch.equal(one.y, other.y)


@pytest.mark.parametrize("keys", [{}, {"one_hot": ["city"], "missing": "mean"}, {"missing": "drop"}])
def test_the_rows_are_those_of_a_file_in_the_order_of_their_cells(keys: dict[str, Any]) -> None:
    rows = ROWS if keys else [row for row in ROWS if row[1] is not None]
    first = sorted(rows, key=lambda row: (row[0], -1 if row[1] is None else row[1], *row[2:]))
    frame = pl.DataFrame(
        first, schema=["area", "floor", "city", "built", "rent"], orient="row", infer_schema_length=None
    )
    frame.write_csv("flats.csv")
    expected = Table(path="flats.csv", targets=["rent"], **keys).load()
    for seed in (0, 1):
        flats([rows[i] for i in np.random.default_rng(seed).permutation(len(rows))])
        same(found(**keys).load(), expected)


def test_order_by_keeps_the_order_of_the_query() -> None:
    flats([(2, 1, "B", None, 20), (1, 1, "A", None, 30), (3, 1, "A", None, 10)])
    assert found("SELECT area, rent FROM flats").load().y.flatten().tolist() == [30, 20, 10]
    assert found("SELECT area, rent FROM flats ORDER BY rent").load().y.flatten().tolist() == [10, 20, 30]


@pytest.mark.parametrize(
    ("query", "has"),
    [
        ("SELECT a FROM t order\n by a", True),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a)", False),
        ("SELECT row_number() OVER (PARTITION BY (a) ORDER BY b) FROM t", False),
        ("SELECT a FROM t WHERE b = 'ORDER BY' AND \"ORDER BY\" = $x$ORDER BY$x$ -- ORDER BY\n/* ORDER BY */", False),
        ("SELECT 'it''s' FROM t ORDER BY a", True),
    ],
)
def test_an_order_by_within_brackets_texts_or_remarks_is_none(query: str, has: bool) -> None:
    assert ordered(sql.TEXTS.sub(" ", query)) == has


def test_days_that_sqlite_keeps_as_text_are_dates_and_predict_takes_them() -> None:
    flats([(i, 1, "A", f"2024-01-{i + 1:02}", i) for i in range(5)] + [(9, 1, "A", "1970-01-11", 9)])
    came = found("SELECT built, rent FROM flats ORDER BY rent").load()
    assert came.x.flatten().tolist() == [(date(2024, 1, i + 1) - date(1970, 1, 1)).days for i in range(5)] + [10]
    result = run(*QUICK, "data.query=SELECT built, rent FROM flats", "data.targets=[rent]", "optimizer.lr=1e-9")
    fitted = load_run(result.folder or "")
    assert fitted.predict({"built": "1970-01-11"}) == pytest.approx(fitted.predict([10.0]))
    flats([(1, 1, "A", "2024-13-77", 2), (2, 1, "A", "2024-01-01", 3)])  # none: it stays text
    assert found().load().features == ("area", "floor")


def test_labels_groups_and_folds_are_as_of_a_file() -> None:
    flats([row for row in ROWS if row[1] is not None])
    query, how = "SELECT area, floor, rent, city, built FROM flats", Preparation(labels=True)
    keys: dict[str, Any] = {"targets": ["city"], "folds": 3, "fold": 1, "groups": "built", "test": 0.2}
    answer(f"sqlite:///{Path('flats.db').absolute()}", query).sort(pl.all()).write_parquet("flats.parquet")
    one = found(query, **keys).prepared(how)
    other = Table(path="flats.parquet", **keys).prepared(how)
    assert one.table.classes == ("A", "B", "C") and one.held_out and one.test and other.held_out and other.test
    for mine, theirs in ((one.table, other.table), (one.held_out, other.held_out), (one.test, other.test)):
        same(mine, theirs)


def test_a_sweep_asks_the_database_once(monkeypatch: pytest.MonkeyPatch) -> None:
    flats(ROWS)
    asked = answer

    def counted(*words: str) -> pl.DataFrame:
        with Path("asked").open("a") as file:
            file.write("x")
        return asked(*words)

    monkeypatch.setattr(sql, "answer", counted)
    words = ["data.query=SELECT area, rent FROM flats", "data.targets=[rent]", "data.validation=0.2"]
    assert main(["-m", *QUICK, *words, "optimizer.lr=1e-6,1e-5", "seed=range(0,5)", "optimizer=sgd,adam"]) == 0
    assert Path("asked").read_text() == "x"


def test_other_rows_are_told_by_the_hash_and_a_run_outlives_its_database(capsys: pytest.CaptureFixture[str]) -> None:
    flats([(i, 1, "A", None, 2 * i) for i in range(40)])
    words = [*QUICK, "data.query=SELECT area, rent FROM flats WHERE city = 'A'", "data.targets=[rent]"]
    result = run(*words, "training.checkpoint_every=1")
    assert load_run(result.folder or "").config["data"]["uri"] == f"sqlite:///{Path('flats.db').absolute()}"
    again = run(*words)
    assert again.parameters == result.parameters and again.environment["data_hash"] == result.environment["data_hash"]
    flats([(i, 1, "A", None, 2 * i) for i in range(41)])
    assert main(["rerun", str(result.folder)]) == 0
    assert "data_hash: " in capsys.readouterr().out
    assert run(*words).environment["data_hash"] != result.environment["data_hash"]
    Path("flats.db").unlink()
    assert main(["predict", str(result.folder), "3"]) == 0 and "rent" in capsys.readouterr().out


NOTHING = "data.query=SELECT area, rent FROM flats"
REFUSED = {
    "no table": ("data.query=SELECT area FROM houses", "error: data.query: no such table: houses"),
    "no column": ("data.query=SELECT size FROM flats", "error: data.query: no such column: size"),
    "no SQL": ("data.query=SELECT area FORM flats", 'error: data.query: near "flats": syntax error'),
    "no rows": ("data.query=SELECT * FROM flats WHERE area > 99", "error: data.query: gives no rows"),
    "twice": ("data.query=SELECT area, floor AS area FROM flats", "name them apart, as in a.id AS a_id"),
    "text": ("data.query=SELECT city, rent FROM flats", "error: data.query: no numeric column is left for the inputs"),
    "a missing cell": ("data.query=SELECT area, NULL AS b, rent FROM flats", "data.query: every cell of column b is"),
    "deletes": ("data.query=DELETE FROM flats", "only reads; it must be a query as SELECT a, b FROM rows"),
    "attaches": ("data.query=ATTACH 'new.db' AS n", "only reads; it must be a query as SELECT a, b FROM rows"),
    "deletes after all": ("data.query=WITH a AS (SELECT 1) DELETE FROM flats", "attempt to write a readonly database"),
    "no query": ("data.query=null", "error: data.query: data=sql needs it"),
    "no address": ("data.uri=null", "error: data.uri: data=sql needs it"),
    "no file": ("data.uri=sqlite:///flat.db", "flat.db: there is no such file; did you mean flats.db?"),
    "no folder": ("data.uri=sqlite:///none/flats.db", "none/flats.db: there is no such file"),
    "no database": ("data.uri=sqlite:///text.db", "text.db: file is not a database"),
    "another scheme": ("data.uri=sqlit:///flats.db", "did you mean sqlite?"),
    "a password": ("data.uri=postgresql://ada:s3cret@h/x", "data.uri=postgresql://ada:***@h/x: holds a password"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_request_is_one_line_and_touches_no_file(case: str, capsys: pytest.CaptureFixture[str]) -> None:
    flats([(1, 2, "A", None, 3), (2, 2, "A", None, 4)])
    Path("text.db").write_text("no database at all\n" * 100)
    before = {path.name: path.read_bytes() for path in Path().iterdir()}
    word, said = REFUSED[case]
    assert main([*QUICK, NOTHING, "data.targets=[rent]", word]) == 2
    err = capsys.readouterr().err.strip().splitlines()
    assert said in err[-1] and err[-1].startswith("error: ") and "query: SELECT" not in err[-1]
    assert {path.name: path.read_bytes() for path in Path().iterdir() if path.is_file()} == before
    assert case == "text" or len(err) == 1


@pytest.mark.parametrize("words", [["-m", "seed=0,1"], ["-m", "hydra/sweeper=search", "search.trials=2"], []])
def test_no_password_is_written_anywhere(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    flats([(1, 2, "A", None, 3), (2, 2, "A", None, 4)])
    result = run(*QUICK, NOTHING, "data.targets=[rent]")
    secret = "data.uri=postgresql://ada:s3cret@h/x"
    assert main([*words, *QUICK, NOTHING, "data.targets=[rent]", secret]) == 2
    assert main(["rerun", str(result.folder), secret]) == 2
    with pytest.raises(UserError):
        run(*QUICK, NOTHING, "data.targets=[rent]", secret)
    said = capsys.readouterr()
    assert "s3cret" not in said.out + said.err
    assert not [path for path in Path().rglob("*") if path.is_file() and b"s3cret" in path.read_bytes()]


@pytest.mark.parametrize(("uri", "name"), [(DB, "sqlite"), ("postgresql://ada@h/x", "postgresql")])
def test_a_driver_that_is_missing_is_told(uri: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, f"adbc_driver_{name}", None)
    monkeypatch.delitem(sys.modules, f"adbc_driver_{name}.dbapi", raising=False)
    with pytest.raises(
        UserError, match=rf"needs adbc-driver-{name}, which is not installed; pip install 'experiments\["
    ):
        found(uri=uri).load()


POSTGRESQL = shutil.which("initdb") or next(map(str, Path("/usr/lib/postgresql").glob("*/bin/initdb")), None)
TABLE = """
CREATE TABLE flats AS SELECT i AS id, (i * 0.25)::numeric(10, 2) AS area, i::real / 2 AS height,
date '2024-01-01' + i AS built, i % 2 = 0 AS let, timestamp '1970-01-03 12:00' AS at, chr(65 + i % 3) AS city,
NULLIF(i, 7)::bigint AS floor, interval '1 day' AS age, 3 * i + 1 AS rent
FROM generate_series(1, 60) AS i ORDER BY md5(i::text)
"""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a server of PostgreSQL of this module's own, which listens on a socket in a folder of its own."""
    pytest.importorskip("adbc_driver_postgresql")
    user = None if os.geteuid() else "nobody"  # PostgreSQL refuses to run as root
    if POSTGRESQL is None:
        pytest.skip("no PostgreSQL here")
    folder, bin = Path(tempfile.mkdtemp(prefix="pg")), Path(POSTGRESQL).resolve().parent
    if user is not None:
        os.chown(folder, pwd.getpwnam(user).pw_uid, -1)

    def call(tool: str, *words: str) -> None:
        done = subprocess.run(
            [bin / tool, "-D", folder / "data", *words], user=user, cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    try:
        call("initdb", "--auth=trust", "--username=ada", "--no-sync", "--no-instructions", "--locale=C")
        options = f"-F -k {folder} -c listen_addresses='' -c shared_buffers=1MB"
        call("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
        try:
            subprocess.run([bin / "psql", "-qh", folder, "-U", "ada", "-d", "postgres", "-c", TABLE], check=True)
            yield f"postgresql://ada@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


def test_postgresql_gives_numbers_dates_booleans_and_text(server: str) -> None:
    query = "SELECT area, height, built, let, at, city, floor, rent FROM flats WHERE id > 10 -- all but a few"
    came = found(query, server, one_hot=["city"]).load()
    i = np.arange(11, 61)
    assert came.features == ("area", "height", "built", "let", "at", "city=B", "city=C", "floor")
    days = (date(2024, 1, 1) - date(1970, 1, 1)).days + i
    columns = [i / 4, i / 2, days, i % 2 == 0, np.full(50, 2.5), i % 3 == 1, i % 3 == 2, i]
    assert came.x.tolist() == np.column_stack(columns).tolist()
    assert came.y.flatten().tolist() == (3 * i + 1).tolist()
    newest = found(f"{query}\nORDER BY id DESC", server, one_hot=["city"]).load()
    assert newest.y.flatten().tolist() == (3 * i + 1).tolist()[::-1]


def test_a_run_of_postgresqls_rows_is_that_of_the_same_file(server: str) -> None:
    words = ["data.targets=[rent]", "data.missing=mean", "data.validation=0.2", "training.epochs=3"]
    result = run(*QUICK, *words, f"data.uri={server}", "data.query=SELECT floor, area, rent FROM flats;")
    i = np.arange(1, 61)
    pl.DataFrame({"floor": np.where(i == 7, np.nan, i), "area": i / 4, "rent": 3 * i + 1}).with_columns(
        pl.col("floor").fill_nan(None)
    ).sort("floor").write_parquet("flats.parquet")
    file = run(*QUICK[:3], *words, "data=table", "data.path=flats.parquet")
    assert file.parameters == result.parameters
    assert file.environment["data_hash"] == result.environment["data_hash"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT rent FROM houses", 'data.query: relation "houses" does not exist'),
        ("SELECT rents FROM flats", 'data.query: column "rents" does not exist'),
        ("SELECT rent FORM flats", 'data.query: syntax error at or near "flats"'),
        ("SELECT rent FROM flats WHERE false", "data.query: gives no rows"),
        ("SELECT 1 / (id - 5) AS area, rent FROM flats", "data.query: division by zero"),
        ("WITH a AS (DELETE FROM flats RETURNING *) SELECT * FROM a", "in a read-only transaction"),
        ("SELECT rent, set_config('transaction_read_only', 'off', false) FROM flats", "must be set before any query"),
        ("SELECT rent FROM flats; DROP TABLE flats", "cannot insert multiple commands"),
        ("SELECT age, rent FROM flats", "gives an interval; make a number of it, as EXTRACT(EPOCH FROM column)"),
    ],
)
def test_what_postgresql_refuses_is_one_line_and_nothing_is_written(server: str, query: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        found(query, server).load()
    assert said in str(caught.value) and "\n" not in str(caught.value) and "LINE 1" not in str(caught.value)
    assert found("SELECT id, rent FROM flats", server).load().x.shape == (60, 1)


def test_a_server_that_does_not_answer_is_one_line(
    server: str, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    with pytest.raises(Failure, match=r'eve@.*: can\'t be reached: .*role "eve" does not exist'):
        found(uri=server.replace("ada", "eve")).load()
    for words in (["seed=1"], ["-m", "seed=0,1"]):
        assert (
            main([*QUICK, NOTHING, "data.targets=[rent]", f"data.uri=postgresql://ada@/x?host={tmp_path}", *words]) == 1
        )
        err = capfd.readouterr().err.strip().splitlines()
        assert "can't be reached: connection to server on socket" in err[-1] and err[-1].startswith("error: ")


def test_an_address_is_typed_as_it_is() -> None:
    assert quoted("data.uri=sqlite:///a.db,sqlite:///b.db") == "data.uri=sqlite:///a.db,sqlite:///b.db"
