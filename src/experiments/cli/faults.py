"""What the operating system refused, in one line: the path, why, what to do."""

import errno

from experiments.errors import one_line

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


def explain_fault(error: OSError) -> str:
    """`path: why; what to do`, and how to go on where a run was cut off."""
    where = one_line(error.filename) if error.filename is not None else "the run's files"
    why = REMEDIES.get(error.errno or 0) or one_line(error.strerror or error)
    hints = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    return f"{where}: {why}{hints}"
