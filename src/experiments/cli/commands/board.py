"""`experiments board [FOLDER]`: TensorBoard on loopback, with settings that keep many runs usable."""

import socket
import subprocess
import sys
import threading
from collections.abc import Sequence

from experiments.cli.commands.arguments import Parser
from experiments.errors import UserError, one_line
from experiments.stored.folders import OUTPUTS, Found, everything, require_folder
from experiments.stored.lookup import FOLDER, resolve
from experiments.tracking import packed

POINTS, FEWEST, MOST = 200_000, 50, 1_000
"""Points of all runs together in one chart, and the bounds of one run's share. See `settings`."""
PAGE = 100
"""Rows that TensorBoard's HParams page shows at first."""
FIRST_PORT, PORTS = 6006, 20


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C; TensorBoard's own exit status."""
    parser = Parser("board", description="TensorBoard for the runs below a folder, on this machine only.")
    parser.add_argument("folder", nargs="?", default=OUTPUTS, metavar="FOLDER", help=FOLDER)
    parser.add_argument("--port", type=int, help=f"default: the first free one from {FIRST_PORT}")
    asked = parser.read(arguments)
    folder = str(resolve(asked.folder, many=True))
    require_folder(folder)
    found = everything(folder)
    runs = len(found.runs)
    port = free_port(asked.port)
    print(f"http://127.0.0.1:{port}/ shows {runs} runs of {one_line(folder)}; Ctrl-C ends it", flush=True)
    server = subprocess.Popen(command(folder, port, runs))
    try:
        if without := without_folder(found):  # looks into every pack, while the server is starting
            print(
                f"and not {without} jobs without a folder: `experiments unpack` makes those of the jobs that you name"
            )
        if runs > PAGE:
            print(f"HParams shows {PAGE} runs at a time: 'Max # of session groups per page' below its list shows more")
        sys.stdout.flush()
        # with a limit it looks 20 times a second: Ctrl-C may reach a thread of NumPy, which wakes nobody
        return server.wait(timeout=threading.TIMEOUT_MAX)
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait()


def without_folder(found: Found) -> int:
    """How many jobs are in the packs of sweeps and have no folder."""
    return sum(
        jobs - sum(of == sweep and packed.has(sweep, run) for run, of in found.runs.items())
        for sweep in found.sweeps
        if (jobs := packed.count(sweep))
    )


def command(folder: str, port: int, runs: int) -> list[str]:
    """TensorBoard's own command line."""
    module = [sys.executable, "-m", "tensorboard.main"]
    return [*module, f"--logdir={folder}", "--host=127.0.0.1", f"--port={port}", *settings(runs)]


def settings(runs: int) -> list[str]:
    """What keeps many runs usable, found out with benchmarks/board.py.

    What counts is how many points a chart of all runs asks for. 1,000 runs of 1,000 epochs: with TensorBoard's own
    1,000 points a run one chart is 75 MB and 12 s, with 500 it is 38 MB and 9 s, with 200 it is 15 MB and 3.5 s, and
    the servers take 439, 275 and 209 MB. All runs are listed after 3 to 4 s in each case.

    Left alone: `--load_fast` (auto takes the data server where its wheel exists: 1,000 runs of 100 epochs are read in
    2.5 s, and in 17.9 s without), `--reload_multifile` (a run has one event file), `--reload_interval` (looking into
    10,000 folders every 5 s takes 4 per cent of a processor).
    """
    points = max(FEWEST, min(MOST, POINTS // max(1, runs)))
    return [
        f"--samples_per_plugin=scalars={points},images=4,text=1",
        "--max_reload_threads=4",  # without the data server 1,000 runs are read in 11.8 s instead of 17.9
    ]


def free_port(wanted: int | None) -> int:
    """`wanted`, or the first free port from 6006. Raises UserError when it is taken."""
    if wanted is not None and not 1 <= wanted <= 65_535:
        raise UserError(f"--port {wanted}: must be between 1 and 65535")
    for port in range(FIRST_PORT, FIRST_PORT + PORTS) if wanted is None else [wanted]:
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    where = f"--port {wanted}" if wanted is not None else f"ports {FIRST_PORT} to {FIRST_PORT + PORTS - 1}"
    raise UserError(f"{where}: taken; choose another with --port")
