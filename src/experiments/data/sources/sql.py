"""The rows that a query gives, from a file of SQLite or a server of PostgreSQL: both are only ever read.

A database gives rows in any order unless the query ends in ORDER BY. Without one they are put in the order of their
cells, so that the same rows are the same table, with the same digits, split and batches.
"""

import os
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl

from experiments.config.database_uri import SQLITE
from experiments.data.sources.table import Table
from experiments.data.streaming.reader import InMemory
from experiments.errors import Failure, UserError, nearest, one_line

PATIENCE = 10
"""Seconds in which a server must answer, unless the address or PGCONNECT_TIMEOUT says otherwise."""
ALL_ROWS = 2**30
"""SQLite's columns have no type: the driver takes one from so many of the first cells."""
TEXTS = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/", re.S)
"""Texts, names in quotes and remarks."""
BRACKETS = re.compile(r"\([^()]*\)")
DATES = r"^\d{4}-\d\d-\d\d$"
AROUND = re.compile(r"\nLINE \d|\nquery: |\s*Query was: |\.? SQLSTATE: ")
"""Where a driver repeats the query behind what the database says."""
BEFORE = re.compile(r"(?:got external error: )?(?:[A-Z_]+: )?(?:\[\w+\] )?(?:Failed to (?:connect|\w+ query): )?")
LONGEST = 300
"""Characters that a database's own reason may take."""


@dataclass(frozen=True)
class Sql(Table):
    """The keys of data=sql."""

    uri: str | None = None
    query: str | None = None

    def reader(self) -> InMemory:
        """The rows of the query. Raises UserError, and Failure where a server does not answer."""
        for name, example in (("uri", "sqlite:///FILE"), ("query", "SELECT * FROM rows")):
            if not getattr(self, name):
                raise UserError(f'data.{name}: data=sql needs it; add "data.{name}={example}"')
        assert self.uri and self.query
        words = TEXTS.sub(" ", self.query)
        if not re.match(r"[\s(]*(select|with|values|table)\b", words, re.I):
            raise UserError(
                f"data.query={one_line(self.query)}: only reads; it must be a query as SELECT a, b FROM rows"
            )
        table = answer(self.uri, self.query)
        if not table.height:
            raise UserError("data.query: gives no rows")
        return InMemory(table if ordered(words) else table.sort(table.columns), where="data.query")


def ordered(words: str) -> bool:
    """Whether a query, given without its texts, has an ORDER BY of its own, not one in brackets."""
    while (outer := BRACKETS.sub(" ", words)) != words:
        words = outer
    return re.search(r"\border\s+by\b", words, re.I) is not None


def answer(uri: str, query: str) -> pl.DataFrame:
    """The table that a query gives. Raises UserError for a bad one, Failure where a server does not answer."""
    driver = _driver(uri)
    sqlite = uri.startswith(SQLITE)
    try:
        connection = driver.connect(_file(uri) if sqlite else _patient(uri))
    except driver.Error as error:
        reason = _reason(error)
        remedy = "; set PGPASSWORD, or write it to ~/.pgpass" if "password" in reason else ""
        raise Failure(f"data.uri={uri}: can't be reached: {reason}{remedy}") from None
    with connection, connection.cursor() as cursor:
        try:
            if sqlite:
                cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(ALL_ROWS)})
            else:
                cursor.execute("SET TRANSACTION READ ONLY")
            # the driver puts brackets around it, which are not to end up in a remark
            cursor.execute(query.rstrip("; \n") + "\n")
            frame = pl.DataFrame(cursor.fetch_arrow())
        except pl.exceptions.DuplicateError as error:
            raise UserError(f"data.query: {_reason(error)}; name them apart, as in a.id AS a_id") from None
        except pl.exceptions.PanicException:
            raise UserError(
                "data.query: gives an interval; make a number of it, as EXTRACT(EPOCH FROM column)"
            ) from None
        except (driver.Error, pl.exceptions.PolarsError) as error:
            reason = _reason(error)
            where = f"data.uri={uri}" if "is not a database" in reason else "data.query"
            raise UserError(f"{where}: {reason}") from None
    return pl.DataFrame([_plain(column, sqlite) for column in frame])


def _driver(uri: str) -> Any:
    name = "sqlite" if uri.startswith(SQLITE) else "postgresql"
    try:
        return import_module(f"adbc_driver_{name}.dbapi")
    except ModuleNotFoundError:
        raise UserError(
            f"data.uri={uri}: needs adbc-driver-{name}, which is not installed; pip install 'experiments[sql]'"
        ) from None


def _file(uri: str) -> str:
    """A file of SQLite, to be read only, and not to be made where there is none. Raises UserError."""
    path = Path(uri.removeprefix(SQLITE))
    if not path.is_file():
        near = nearest(path.name, [p.name for p in path.parent.iterdir()]) if path.parent.is_dir() else ""
        raise UserError(f"data.uri={uri}: there is no such file{near}")
    if not os.access(path, os.R_OK):
        raise UserError(f"data.uri={uri}: no permission to read it; change its permissions")
    return f"file:{quote(str(path))}?mode=ro"


def _patient(uri: str) -> str:
    """The address of a server with a limit on the time to wait for it."""
    if "connect_timeout=" in uri or os.environ.get("PGCONNECT_TIMEOUT"):
        return uri
    return f"{uri}{'&' if '?' in uri else '?'}connect_timeout={PATIENCE}"


def _reason(error: Exception) -> str:
    """What a database says, without what its driver says around it."""
    text = AROUND.split(str(error))[0].rpartition("ERROR: ")[2]
    return one_line(BEFORE.sub("", text))[:LONGEST].rstrip(" .")


def _plain(column: pl.Series, sqlite: bool) -> pl.Series:
    """PostgreSQL's NUMERIC, which comes as text, as numbers; SQLite's dates, which it keeps as text, as dates."""
    extension = getattr(pl, "BaseExtension", None)
    if extension is not None and isinstance(column.dtype, extension):
        text = column.ext.storage()
        values = text.cast(pl.Float64, strict=False) if text.dtype == pl.String else text
        return values if values.null_count() == text.null_count() else text
    if sqlite and column.dtype == pl.String and column.null_count() < len(column) and column.str.contains(DATES).all():
        dates = column.str.to_date("%Y-%m-%d", strict=False)
        return dates if dates.null_count() == column.null_count() else column
    return column
