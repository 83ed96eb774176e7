"""Reading ahead: an iterator that works in a background thread while its consumer trains."""

import queue
import threading
from collections.abc import Generator, Iterable
from typing import TypeVar

Item = TypeVar("Item")
DEPTH = 2
"""Items that wait, at most; with the one being made and the one in use, memory holds four."""


def prefetched(items: Iterable[Item], depth: int = DEPTH) -> Generator[Item, None, None]:
    """The same items in the same order. What the iterator raises is raised here; leaving early ends the thread."""
    waiting: queue.Queue = queue.Queue(depth)
    left = threading.Event()

    def put(what: tuple[str, object]) -> bool:
        while not left.is_set():
            try:
                waiting.put(what, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def work() -> None:
        try:
            for item in items:
                if not put(("item", item)):
                    return
                del item  # the consumer alone holds it now
            put(("end", None))
        except BaseException as error:
            put(("error", error))

    thread = threading.Thread(target=work, name="reading ahead", daemon=True)
    thread.start()
    try:
        while True:
            kind, value = waiting.get()
            if kind == "item":
                yield value
                del value
            elif kind == "error":
                raise value
            else:
                return
    finally:
        left.set()
        thread.join()
