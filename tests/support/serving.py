"""A real TensorBoard, started by `experiments board` on a free port, and its HTTP interface."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATIENCE = 90.0


def free() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return tried.getsockname()[1]


class Served:
    """`url`: where it listens. `get(path, **query)`, `post(path, body)`: JSON answers."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path: str, **query: str) -> Any:
        return json.loads(self.content(path, **query))

    def content(self, path: str, **query: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}/{path}?{urllib.parse.urlencode(query)}", timeout=PATIENCE) as answer:
            return answer.read()

    def post(self, path: str, body: Any) -> Any:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/{path}", json.dumps(body).encode(), headers)
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            return json.load(answer)

    def session_groups(self, rows: int = 1_000) -> list[dict[str, Any]]:
        """The HParams page's rows, with every metric there is."""
        metrics = self.post("data/plugin/hparams/experiment", {"experimentName": ""}).get("metricInfos", [])
        columns = [{"metric": m["name"], "order": "ORDER_UNSPECIFIED"} for m in metrics]
        statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
        query = {"experimentName": "", "allowedStatuses": statuses, "colParams": columns, "startIndex": 0}
        return self.post("data/plugin/hparams/session_groups", query | {"sliceSize": rows}).get("sessionGroups", [])

    def ready(self, runs: int) -> bool:
        """All runs are listed, and read so far that each is a row of HParams."""
        try:
            return len(self.get("data/runs")) >= runs and len(self.session_groups()) >= runs
        except OSError:
            return False


@contextmanager
def board(folder: Path, runs: int) -> Iterator[Served]:
    """`experiments board FOLDER`, once all its runs are read; ended as Ctrl-C ends it."""
    port = free()
    command = [sys.executable, "-m", "experiments", "board", str(folder), "--port", str(port)]
    server = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip
    try:
        served, end = Served(port), time.monotonic() + PATIENCE
        while not served.ready(runs):
            assert server.poll() is None, f"the server ended with {server.returncode}"
            assert time.monotonic() < end, f"{runs} runs were not read in {PATIENCE:.0f} s"
            time.sleep(0.1)
        yield served
    finally:
        server.send_signal(signal.SIGINT)
        said, _ = server.communicate(timeout=30)
    assert server.returncode == 130
    assert said.startswith(f"http://127.0.0.1:{port}/ shows {runs} runs"), said
