"""Progress in a notebook: a line below the cell that is drawn anew, and says at the end what was done."""

import html
import sys
import time
from typing import Any

SECONDS_BETWEEN_UPDATES = 0.1
WIDTH = 240


def front_end() -> bool:
    """Whether what is displayed is seen in a notebook."""
    shell = sys.modules.get("IPython")
    return shell is not None and getattr(shell.get_ipython(), "kernel", None) is not None


class Line:
    """`shown` draws it, at most every SECONDS_BETWEEN_UPDATES; `end` leaves its last state with the time it took."""

    def __init__(self, what: str, total: int) -> None:
        """`what` is done `total` times, as `epochs`."""
        from IPython.display import display  # type: ignore[import-not-found]  # there in a notebook, see front_end

        self.what, self.total, self.done, self.words = what, total, 0, ""
        self.began, self.updated = time.monotonic(), time.monotonic()
        self._handle: Any = display(self._drawn(), raw=True, display_id=True)

    def shown(self, done: int, words: str | None = None) -> None:
        """So many are done; `words` is what else is known, by default what was."""
        self.done, self.words = done, self.words if words is None else words
        if time.monotonic() - self.updated >= SECONDS_BETWEEN_UPDATES:
            self.updated = time.monotonic()
            self._handle.update(self._drawn(), raw=True)

    def end(self) -> None:
        self.words += f"{', ' * bool(self.words)}{time.monotonic() - self.began:.1f} s"
        self._handle.update(self._drawn(), raw=True)

    def _drawn(self) -> dict[str, str]:
        said = f"{self.done} of {self.total} {self.what}{', ' * bool(self.words)}{self.words}"
        bar = f'<progress max="{max(1, self.total)}" value="{self.done}" style="width:{WIDTH}px"></progress>'
        return {"text/plain": said, "text/html": f'<div style="font-size:13px">{bar} {html.escape(said)}</div>'}
