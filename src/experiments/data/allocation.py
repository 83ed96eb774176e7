"""Memory for tables: it begins on a cache line, and goes back to the system when a block is freed."""

import ctypes
import math
import sys

import numpy as np

CACHE_LINE = 64
"""Bytes."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""The parameters' numbers in glibc's <malloc.h>, see mallopt(3)."""
RETURNED_BYTES = 4 * 2**20


def return_blocks() -> None:
    """Have glibc map every allocation of 4 MB or more by itself; elsewhere nothing is done.

    Left alone, glibc raises its threshold to the size of the blocks (26 MB) once the first is freed and then keeps
    them in heaps, one a thread, that fragment: 1.53 GB at the peak for a file of 4 GB, with this 0.64 (NPY) and 0.73
    (Parquet). The variables MALLOC_MMAP_THRESHOLD_ and MALLOC_TRIM_THRESHOLD_ do the same, but only if they are set
    before the process starts. Smaller pieces stay with the process: taken from the system again and again, a megabyte
    of temporary numbers can cost eight times its arithmetic.
    """
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(M_MMAP_THRESHOLD, RETURNED_BYTES)
        mallopt(M_TRIM_THRESHOLD, 2 * RETURNED_BYTES)


def aligned(shape: tuple[int, ...], dtype: type | np.dtype) -> np.ndarray:
    """An array like np.empty's that begins on a cache line, as torch's tensors do.

    The last bits of a matrix-vector product can depend on how its operands lie against the cache lines. With every
    table on one, a batch lies alike in each process, and a run or its second half gives the same bits again.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    memory = np.empty(size + CACHE_LINE, np.uint8)
    start = -memory.ctypes.data % CACHE_LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def reused(spare: np.ndarray | None, shape: tuple[int, int], dtype: type | np.dtype) -> np.ndarray:
    """The first rows of `spare`, a table that nobody needs any more, where it fits; else `aligned`.

    New memory costs as much as reading into it.
    """
    if spare is not None and spare.dtype == dtype and spare.shape[1] == shape[1] and len(spare) >= shape[0]:
        return spare[: shape[0]]
    return aligned(shape, dtype)
