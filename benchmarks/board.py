"""What TensorBoard's settings do to a folder of many runs: python -m benchmarks.board FOLDER [SETTINGS...].

Each further argument is one set of flags in quotes; without any, TensorBoard's own settings and those of
`experiments board` are compared. A folder: `experiments -m seed='range(0,1000)' training.epochs=1000`.
Seconds from the start until all runs are listed and until HParams has a row for each; then how long one answer takes
and how large it is, the memory of all its processes, and the processor time it takes while nothing happens.
"""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.cli.commands.board import settings
from experiments.stored.folders import find

PATIENCE = 300.0
"""Seconds until a server is given up."""


def ask(port: int, path: str, body: Any = None) -> tuple[Any, float, int]:
    """The answer, the seconds it took, and its bytes; `body` is sent as JSON, a dict of texts as a form."""
    form = isinstance(body, dict) and all(isinstance(v, str) for v in body.values()) and "requests" in body
    data = urllib.parse.urlencode(body).encode() if form else None if body is None else json.dumps(body).encode()
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": kind})
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        content = answer.read()
    return json.loads(content), time.perf_counter() - began, len(content)


def family(pid: int) -> list[int]:
    """A process and all below it (Linux)."""
    found = [pid]
    for place in Path("/proc").iterdir():
        if place.name.isdecimal():
            try:
                parent = int((place / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found += family(int(place.name))
    return found


def megabytes(pid: int) -> float:
    pages = sum(int(Path(f"/proc/{p}/statm").read_text().split()[1]) for p in family(pid))
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def processor(pid: int) -> float:
    """Seconds of processor time so far."""
    fields = [Path(f"/proc/{p}/stat").read_text().rpartition(")")[2].split() for p in family(pid)]
    return sum(int(f[11]) + int(f[12]) for f in fields) / os.sysconf("SC_CLK_TCK")


def until_listed(port: int, runs: int) -> None:
    """Wait until the server lists all runs. Raises TimeoutError."""
    began = time.perf_counter()
    while time.perf_counter() - began < PATIENCE:
        try:
            if len(ask(port, "/data/runs")[0]) >= runs:
                return
        except OSError:  # not there yet
            pass
        time.sleep(0.1)
    raise TimeoutError(f"not all of {runs} runs are listed after {PATIENCE:.0f} s")


def session_groups(port: int, runs: int) -> tuple[list[dict[str, Any]], float, int]:
    """The rows of the HParams page with every metric, as the page asks for them."""
    experiment = ask(port, "/data/plugin/hparams/experiment", {"experimentName": ""})[0]
    columns = [{"metric": m["name"], "order": "ORDER_UNSPECIFIED"} for m in experiment.get("metricInfos", [])]
    statuses = ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING"]
    query = {"experimentName": "", "allowedStatuses": statuses, "colParams": columns, "startIndex": 0}
    found, seconds, size = ask(port, "/data/plugin/hparams/session_groups", query | {"sliceSize": runs})
    return found.get("sessionGroups", []), seconds, size


def trial(folder: str, runs: int, flags: Sequence[str]) -> str:
    """One server's figures."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    module = [sys.executable, "-m", "tensorboard.main", f"--logdir={folder}", "--host=127.0.0.1", f"--port={port}"]
    began = time.perf_counter()
    server = subprocess.Popen([*module, *flags], stderr=subprocess.DEVNULL)
    try:
        until_listed(port, runs)
        listed = time.perf_counter() - began
        while len((rows := session_groups(port, runs))[0]) < runs:
            time.sleep(0.2)
        complete = time.perf_counter() - began
        asked = {"requests": json.dumps([{"plugin": "scalars", "tag": "loss/train"}])}
        _, chart, size = ask(port, "/data/plugin/timeseries/timeSeries", asked)
        before = processor(server.pid)
        time.sleep(10)
        idle = (processor(server.pid) - before) / 10
        return (
            f"listed {listed:.1f} s, HParams complete {complete:.1f} s; "
            f"its rows {rows[1]:.2f} s {rows[2] / 1e6:.1f} MB; "
            f"one chart of all {chart:.2f} s {size / 1e6:.1f} MB; memory {megabytes(server.pid):.0f} MB; "
            f"idle {idle:.0%} of a processor"
        )
    finally:
        server.terminate()
        server.wait()


def main() -> None:
    folder = sys.argv[1]
    runs = len(find([folder], []))
    choices = [words.split() for words in sys.argv[2:]] or [[], settings(runs)]
    print(f"{runs} runs below {folder}")
    for flags in choices:
        print(f"{' '.join(flags) or 'TensorBoard alone'}\n    {trial(folder, runs, flags)}", flush=True)


if __name__ == "__main__":
    main()
