"""Where a database is: a file of SQLite or a server of PostgreSQL, named without a password, which a run would keep."""

import os
import re

from experiments.errors import nearest

SQLITE = "sqlite:///"
SERVERS = ("postgresql", "postgres")
REFUSED = (
    "holds a password, which the run would keep; leave it out, and set the environment variable PGPASSWORD, or write "
    "it to ~/.pgpass"
)


def checked_uri(uri: str) -> str:
    """The address with the file's path made absolute. Raises ValueError with the reason against it."""
    scheme, sign, _ = uri.partition("://")
    if not sign:
        raise ValueError("has no scheme; write sqlite:///FILE, or postgresql://USER@HOST/NAME")
    if scheme == "sqlite":
        if not (uri.startswith(SQLITE) and uri.removeprefix(SQLITE)):
            raise ValueError("must be sqlite:/// and a file, sqlite:////home/ada/flats.db for instance")
        return SQLITE + os.path.abspath(os.path.expanduser(uri.removeprefix(SQLITE)))
    if scheme not in SERVERS:
        known = ("sqlite", *SERVERS)
        raise ValueError(
            f"must begin with sqlite:/// or postgresql://, no other database is read{nearest(scheme, known)}"
        )
    if has_password(uri):
        raise ValueError(REFUSED)
    return uri


def has_password(uri: str) -> bool:
    """Whether the address of a server, or one of several between commas, holds a password."""
    each = (part.partition("://") for part in re.split(r"[,'\"]+(?=\w+://)", uri))
    return any(
        scheme != "sqlite" and (":" in rest.rpartition("@")[0] or re.search(r"[?&][^&=]*password=", rest))
        for scheme, _, rest in each
    )


def without_password(uri: str) -> str:
    """The address, or several, as a message may show them."""
    return re.sub(r"(?<=password=)[^&]*", "***", re.sub(r"(://[^:@]*:).*@", r"\1***@", uri))
