"""`experiments board [FOLDER]`: TensorBoard on loopback, with settings that keep many runs usable."""

import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from experiments.commands.arguments import Parser
from experiments.errors import UserError, one_line
from experiments.runs.folders import OUTPUTS

SETTINGS = (
    "--samples_per_plugin=scalars=500,images=4,text=1",  # memory and answers stay bounded with 1,000 runs
    "--reload_interval=15",  # seconds; a reload looks into every folder
)
FIRST_PORT, PORTS = 6006, 20


def main(arguments: Sequence[str]) -> int:
    """Serve until Ctrl-C; TensorBoard's own exit status."""
    parser = Parser("board", description="TensorBoard for the runs below a folder, on this machine only.")
    parser.add_argument("folder", nargs="?", default=OUTPUTS, metavar="FOLDER")
    parser.add_argument("--port", type=int, help=f"default: the first free one from {FIRST_PORT}")
    asked = parser.read(arguments)
    if not Path(asked.folder).is_dir():
        raise UserError(f"{one_line(asked.folder)}: there is no such folder")
    port = free_port(asked.port)
    print(f"http://127.0.0.1:{port}/ shows {one_line(asked.folder)}; Ctrl-C ends it", flush=True)
    server = subprocess.Popen(command(asked.folder, port))
    try:
        return server.wait()
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait()


def command(folder: str, port: int) -> list[str]:
    """TensorBoard's own command line."""
    module = [sys.executable, "-m", "tensorboard.main"]
    return [*module, f"--logdir={folder}", "--host=127.0.0.1", f"--port={port}", *SETTINGS]


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
