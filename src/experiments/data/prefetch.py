"""Reading ahead: an iterator that works in a background thread while its consumer trains."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
DEPTH = 2
"""Items that wait, at most; with the one being made and the one in use, memory holds four."""


def prefetched(items: Iterable[Item], depth: int = DEPTH) -> Generator[Item, None, None]:
    """The same items in the same order. What the iterator raises is raised here; leaving early ends the thread."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, "reading ahead") as thread:
        waiting = deque(thread.submit(next, iterator, end) for _ in range(depth + 1))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, iterator, end))
                yield item  # type: ignore[misc]  # it is no `end`
                del item  # the consumer alone has held it
        finally:
            thread.shutdown(cancel_futures=True)
