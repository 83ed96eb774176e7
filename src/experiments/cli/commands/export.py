"""`experiments export RUN`: a run's model as an ONNX file, and its card in Markdown."""

from collections.abc import Sequence

from experiments.cli.commands.arguments import Parser
from experiments.errors import UserError
from experiments.stored.lookup import MEANING, load_run
from experiments.tracking.files import write_asked


def main(arguments: Sequence[str]) -> int:
    """Write what is asked for, a line for each file; exit status 0."""
    parser = Parser("export", description="A run's model for other programs, in the units of its table.")
    parser.add_argument("run", metavar="RUN", help=MEANING)
    parser.add_argument(
        "--onnx", metavar="FILE", help="an ONNX model: rows to predictions, or to probabilities of classes"
    )
    parser.add_argument("--card", metavar="FILE", help="Markdown: what it predicts, from what, how well, its limits")
    asked = parser.read(arguments)
    if asked.onnx is None and asked.card is None:
        raise UserError("export: say what to write, --onnx FILE or --card FILE")
    run = load_run(asked.run)
    if asked.onnx is not None:
        run.to_onnx(asked.onnx)
        print(f"model: {asked.onnx}")
    if asked.card is not None:
        write_asked("--card", asked.card, run.card().encode())
        print(f"card: {asked.card}")
    return 0
