"""Whatever stopped a command, in one line and with an exit status."""

import errno

from experiments.config.locate import own_code
from experiments.errors import Failure, UserError, one_line

DONE, FAILED, WRONG_REQUEST, INTERRUPTED = 0, 1, 2, 130

REMEDIES = {
    errno.ENOSPC: "the disk is full; make room",
    errno.EDQUOT: "the disk quota is used up; make room",
    errno.EFBIG: "the file would be larger than is allowed here; see ulimit -f",
    errno.EROFS: "the file system is read-only; write elsewhere, with hydra.run.dir=FOLDER",
    errno.EACCES: "no permission; write elsewhere, with hydra.run.dir=FOLDER, or change the permissions",
    errno.EPERM: "no permission; write elsewhere, with hydra.run.dir=FOLDER, or change the permissions",
    errno.ENOENT: "it is not there, or was removed meanwhile",
    errno.EMFILE: "too many open files; raise the limit with ulimit -n",
    errno.ENFILE: "too many open files on this machine",
    errno.ENAMETOOLONG: "the name is too long; choose a shorter one",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EIO: "the disk reports an error",
}


def explain(error: BaseException) -> tuple[int, str]:
    """The exit status that an exception means, and its line, with the place in the user's own code if it is there."""
    if isinstance(error, KeyboardInterrupt):
        return INTERRUPTED, one_line(error) or "interrupted"
    status = WRONG_REQUEST if isinstance(error, UserError) else FAILED
    if isinstance(error, OSError):
        text = explain_fault(error)
    else:
        known = isinstance(error, UserError | Failure)
        text = one_line(error) if known else f"{type(error).__name__}: {one_line(error)}"
    place = one_line(own_code(error))
    return status, f"{text} (in {place}; HYDRA_FULL_ERROR=1 shows the traceback)" if place else text


def explain_fault(error: OSError) -> str:
    """`path: why; what to do`, and how to go on where a run was cut off."""
    where = one_line(error.filename) if error.filename is not None else "the run's files"
    why = REMEDIES.get(error.errno or 0) or one_line(error.strerror or error)
    hints = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    return f"{where}: {why}{hints}"
