"""Addresses of databases: files by their whole path, servers without a password; each mistake is one line."""

import re
from pathlib import Path

import pytest

from experiments.config.database_uri import checked_uri, has_password, without_password

ADA = "postgresql://ada@db.example.org"


def test_a_file_is_named_by_its_whole_path_and_a_server_stays_as_it_is() -> None:
    assert checked_uri("sqlite:///flats.db") == f"sqlite:///{Path('flats.db').absolute()}"
    assert checked_uri("sqlite:////tmp/a:b@c.db") == "sqlite:////tmp/a:b@c.db"
    for uri in (f"{ADA}/rents", f"{ADA}:5432/rents?sslmode=require", "postgres:///rents?host=/run/postgresql"):
        assert checked_uri(uri) == uri


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        ("postgresql://ada:s3cret@h/x", "postgresql://ada:***@h/x"),
        ("postgres://ada:s3:cret@h:5432/x", "postgres://ada:***@h:5432/x"),
        ("postgresql://ada:s3/cr@et?@h/x", "postgresql://ada:***@h/x"),
        ("postgresql://:s3cret@h/x", "postgresql://:***@h/x"),
        (f"{ADA}/x?password=s3cret&sslmode=require", f"{ADA}/x?password=***&sslmode=require"),
        (f"{ADA}/x?sslpassword=s3cret", f"{ADA}/x?sslpassword=***"),
        ("'postgresql://ada@h/x','postgresql://ada:s3cret@h/y'", "'postgresql://ada@h/x','postgresql://ada:***@h/y'"),
    ],
)
def test_a_password_is_refused_and_never_shown(uri: str, shown: str) -> None:
    assert has_password(uri) and without_password(uri) == shown
    with pytest.raises(ValueError, match=r"holds a password.*PGPASSWORD.*pgpass|must begin with"):
        checked_uri(uri)


def test_two_servers_with_ports_hold_no_password() -> None:
    assert not has_password(f"{ADA}:5432/x,{ADA}:5433/x") and not has_password("sqlite:///a:b@c.db,sqlite:///d.db")


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("flats.db", "has no scheme; write sqlite:///FILE, or postgresql://USER@HOST/NAME"),
        ("sqlite://flats.db", "must be sqlite:/// and a file"),
        ("sqlite:///", "must be sqlite:/// and a file"),
        ("postgressql://h/x", "no other database is read; did you mean postgresql?"),
        ("sqlite3:///flats.db", "did you mean sqlite?"),
        ("mysql://h/x", "must begin with sqlite:/// or postgresql://"),
    ],
)
def test_another_address_is_refused(uri: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        checked_uri(uri)
