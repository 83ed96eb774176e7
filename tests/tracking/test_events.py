"""Event files: read back by TensorBoard's own reader, and by a real server through its HTTP API."""

import json
import math
import os
import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader

from experiments.tracking import events
from experiments.tracking.events import EventFile

STATUSES = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]


def small_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\xff\0\0" * width) * height)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder)).Reload()


def records(path: Path) -> list[Any]:
    return list(LegacyEventFileLoader(str(path)).Load())


def test_file_has_tensorboards_name_and_version_record(tmp_path: Path) -> None:
    with EventFile(tmp_path) as first, EventFile(tmp_path) as second:
        assert first.path != second.path
    kind, when, *host, process, number = first.path.name.removeprefix("events.out.").split(".")
    assert (kind, len(when), int(process)) == ("tfevents", 10, os.getpid())
    assert ".".join(host) == socket.gethostname()
    assert number.isdigit()
    assert records(first.path)[0].file_version == "brain.Event:2"


def test_scalars_come_back_with_step_time_and_value(tmp_path: Path) -> None:
    with EventFile(tmp_path) as file:
        file.scalars(3, {"loss/train": 0.25, "optimizer/lr": 1e-5}, wall_time=123.5)
        file.scalars(4, {"loss/train": math.nan})
        file.scalars(5, {"loss/train": math.inf})
    first, second, third = read(tmp_path).Scalars("loss/train")
    assert (first.step, first.wall_time, first.value) == (3, 123.5, 0.25)
    assert second.step == 4
    assert math.isnan(second.value)
    assert third.value == math.inf
    assert second.wall_time == pytest.approx(time.time(), abs=60)
    assert read(tmp_path).Scalars("optimizer/lr")[0].value == pytest.approx(1e-5, rel=1e-6)


def test_image_has_the_size_in_the_png_header(tmp_path: Path) -> None:
    png = small_png(30, 20)
    with EventFile(tmp_path) as file:
        file.image("prediction", png, step=7)
        with pytest.raises(AssertionError, match="not a PNG"):
            file.image("prediction", b"GIF89a")
    (image,) = read(tmp_path).Images("prediction")
    assert (image.width, image.height, image.step) == (30, 20, 7)
    assert image.encoded_image_string == png


def test_a_killed_process_leaves_what_was_flushed(tmp_path: Path) -> None:
    program = """
        import os, signal, sys
        from pathlib import Path
        from experiments.tracking import events
        file = events.EventFile(Path(sys.argv[1]))
        events.SECONDS_BETWEEN_FLUSHES = 1e9
        file.scalars(1, {"loss/train": 1.0})
        file._flushed -= 2e9        # as if more than a second had passed
        file.scalars(2, {"loss/train": 2.0})
        file.scalars(3, {"loss/train": 3.0})
        os.kill(os.getpid(), signal.SIGKILL)
    """
    search = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": search},
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert [event.step for event in read(tmp_path).Scalars("loss/train")] == [1, 2]


def test_records_wait_in_memory_until_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "SECONDS_BETWEEN_FLUSHES", 1e9)
    with EventFile(tmp_path) as file:
        size = file.path.stat().st_size
        file.scalars(1, {"loss/train": 1.0})
        assert file.path.stat().st_size == size
        file.flush()
        assert file.path.stat().st_size > size


def test_an_exception_marks_the_session_failed_and_closes(tmp_path: Path) -> None:
    file = EventFile(tmp_path)
    file.hparams({"seed": 0})
    with pytest.raises(KeyboardInterrupt), file:
        raise KeyboardInterrupt
    assert b"session_end" in file.path.read_bytes()
    file.close()  # twice is fine
    with pytest.raises(AssertionError, match="closed"):
        file.scalars(1, {"loss/train": 1.0})


def test_importing_needs_no_numpy_torch_or_tensorboard() -> None:
    program = (
        "import sys, experiments.tracking.events\n"
        "print([m for m in ('numpy', 'torch', 'tensorboard', 'google.protobuf', 'matplotlib') if m in sys.modules])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


class Board:
    """A running TensorBoard, asked as its own pages ask it."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def get(self, path: str, **query: str) -> Any:
        return json.loads(self.raw(f"{path}?{urllib.parse.urlencode(query)}"))

    def raw(self, path: str) -> bytes:
        with self.opener.open(self.address + path, timeout=10) as answer:
            return answer.read()

    def post(self, path: str, body: dict[str, Any]) -> Any:
        kind = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.address + path, data=json.dumps(body).encode(), headers=kind)
        with self.opener.open(request, timeout=10) as answer:
            return json.loads(answer.read())


RUNS = {
    "a/0_run": {"optimizer": "sgd", "optimizer.lr": 0.1, "training.shuffle": True, "seed": 0},
    "b/0_run": {"optimizer": "adam", "optimizer.lr": 0.2, "training.shuffle": False, "seed": 1},
    "b/1_run": {"optimizer": "sgd", "optimizer.lr": 0.3, "training.shuffle": True},
}


@pytest.fixture(scope="module", params=["true", "false"], ids=["data_server", "python_reader"])
def board(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    root = tmp_path_factory.mktemp("logs")
    for k, (name, hparams) in enumerate(RUNS.items()):
        folder = root / name
        folder.mkdir(parents=True)
        with EventFile(folder) as file:
            file.hparams(hparams)
            file.text("config", "**bold** words")
            for epoch in range(5):
                file.scalars(epoch, {"loss/train": 8.0 / (epoch + 1), "loss/gap": float(k)})
            file.image("plane/apples", small_png(30, 20))
            if k < 2:
                file.end(failed=k == 1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(root), "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--load_fast", request.param],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        board = Board(port)
        deadline = time.monotonic() + 60
        while True:
            assert time.monotonic() < deadline, "TensorBoard did not show the runs"
            try:
                if len(board.get("/data/plugin/images/tags")) == len(RUNS):
                    break
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass
            time.sleep(0.1)
        yield board
    finally:
        server.terminate()
        server.wait(20)


@pytest.mark.server
def test_server_shows_scalars_images_and_text(board: Board) -> None:
    assert sorted(board.get("/data/runs")) == sorted(RUNS)
    tags = board.get("/data/plugin/scalars/tags")
    assert {run: set(of) for run, of in tags.items()} == {run: {"loss/train", "loss/gap"} for run in RUNS}
    points = board.get("/data/plugin/scalars/scalars", run="b/0_run", tag="loss/train")
    assert [(step, value) for _, step, value in points] == [(k, pytest.approx(8 / (k + 1), rel=1e-6)) for k in range(5)]
    (image,) = board.get("/data/plugin/images/images", run="a/0_run", tag="plane/apples", sample="0")
    picture = board.raw(f"/data/plugin/images/individualImage?{image['query']}")
    assert picture == small_png(30, 20)
    (text,) = board.get("/data/plugin/text/text", run="a/0_run", tag="config")
    assert "<strong>bold</strong>" in text["text"]


@pytest.mark.server
def test_hparams_page_has_one_row_per_run_with_columns_and_metrics(board: Board) -> None:
    experiment = board.post("/data/plugin/hparams/experiment", {"experimentName": ""})
    columns = {info["name"]: (info["type"], info["differs"]) for info in experiment["hparamInfos"]}
    assert columns == {
        "optimizer": ("DATA_TYPE_STRING", True),
        "optimizer.lr": ("DATA_TYPE_FLOAT64", True),
        "training.shuffle": ("DATA_TYPE_BOOL", True),
        "seed": ("DATA_TYPE_FLOAT64", True),
    }
    assert {m["name"]["tag"] for m in experiment["metricInfos"]} == {"loss/train", "loss/gap"}
    question = {"experimentName": "", "allowedStatuses": STATUSES, "startIndex": 0, "sliceSize": 100}
    groups = board.post("/data/plugin/hparams/session_groups", question)["sessionGroups"]
    assert {group["name"]: group["hparams"] for group in groups} == RUNS
    for group in groups:
        (session,) = group["sessions"]
        metrics = {m["name"]["tag"]: m["value"] for m in session["metricValues"]}
        k = list(RUNS).index(group["name"])
        assert metrics == {"loss/train": pytest.approx(1.6, rel=1e-6), "loss/gap": float(k)}
        assert session["status"] == ("STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_UNKNOWN")[k]
