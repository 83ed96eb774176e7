"""A table larger than memory: read in blocks, ahead of the training, as often as it is needed."""

from dataclasses import dataclass
from pathlib import Path

from experiments.data.files.chosen import FileKeys
from experiments.data.prepared import Preparation
from experiments.data.streaming.reader import Reader
from experiments.data.streaming.rows import Rows
from experiments.data.streaming.scan import opened
from experiments.data.streaming.streamed import Streamed, prepare_stream


@dataclass(frozen=True)
class Stream(FileKeys):
    """The keys of data=stream."""

    block_rows: int = 65_536
    batch_blocks: int | None = None

    def prepared(self, how: Preparation) -> Streamed:
        """What a run trains on, see `prepare_stream`."""
        return prepare_stream(*self.open(how.labels), how, self.batch_blocks)

    def open(self, labels: bool = False) -> tuple[Rows, Rows | None]:
        """Training rows and validation rows, what they take learned from the file. Raises UserError."""

        def reader(path: Path) -> Reader:
            return Reader(path, self.block_rows)

        return opened(self, reader(self.file("stream")), reader, labels)
