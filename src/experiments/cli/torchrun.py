"""`torchrun -m experiments ...`: one run trained by several processes. The first speaks and writes, all compute."""

import logging
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from experiments.cli.faults import explain
from experiments.config import folder_names
from experiments.config.composition import compose
from experiments.config.quoting import in_quotes
from experiments.config.schema import Config, Stream
from experiments.config.validation import choice_of, plain_config
from experiments.errors import UserError
from experiments.running.processes import Processes

BATCH_BLOCKS = 8
"""What data.batch_blocks is under torchrun where nothing is said."""


def main(arguments: Sequence[str]) -> int:
    """Train with the other processes of torchrun; the exit status. What stopped them is raised in one of them."""
    processes = Processes()
    if processes.rank:
        logging.getLogger("experiments").addHandler(logging.NullHandler())
    try:
        with processes.joined():
            if folder := processes.folder:  # begun before torchrun started its processes again
                return _resume([str(folder)], processes)
            if arguments[:1] == ["resume"]:
                return _resume(arguments[1:], processes)
            return _train(list(arguments), processes)
    except (Exception, KeyboardInterrupt) as error:
        status, words = explain(error)
        if (told := processes.to_tell(error, words)) is None:
            return status
        raise told from None


def _train(arguments: list[str], processes: Processes) -> int:
    if arguments and arguments[0][0] not in "-+~" and "=" not in arguments[0]:
        raise UserError(f"torchrun: trains one run, or resumes it; run experiments {arguments[0]} without torchrun")
    from experiments.stored.lookup import with_folders

    arguments = with_folders(arguments)
    config = compose(arguments)
    if not isinstance(config.data, Stream):
        choice = choice_of("data", plain_config(config)["data"])
        raise UserError(f"data={choice}: torchrun's processes share the rows of data=stream; run this without torchrun")
    if config.data.batch_blocks is None:
        arguments = [*arguments, f"data.batch_blocks={BATCH_BLOCKS}"]
        config = compose(arguments)
    given = [word.partition("=")[2].strip("'\"") for word in arguments if word.startswith("hydra.run.dir=")]
    named = Path(given[-1] if given else f"outputs/runs/{folder_names.run_name(arguments)}")
    folder = processes.begin(named.absolute())
    if processes.rank:
        return _beside(config, folder, resumed=False)
    from experiments.cli.application import main as application

    return application(arguments if given else [*arguments, f"hydra.run.dir={in_quotes(str(folder))}"])


def _resume(arguments: Sequence[str], processes: Processes) -> int:
    from experiments.stored.lookup import resolve
    from experiments.stored.stored_config import stored_config

    resume = import_module("experiments.cli.commands.resume")  # as `__main__` takes a command
    folder = resolve(arguments[0]).absolute() if len(arguments) == 1 else None
    if folder is None or (folder / "result.json").exists():
        return 0 if processes.rank else resume.main(arguments)
    config = stored_config(folder)
    if getattr(config.data, "batch_blocks", None) is None:
        raise UserError(f"{folder}: was begun without data.batch_blocks; go on with it without torchrun")
    processes.begin(folder)
    return _beside(config, folder, resumed=True) if processes.rank else resume.main([str(folder)])


def _beside(config: Config, folder: Path, resumed: bool) -> int:
    from experiments.running import beside

    beside.train(config, folder, resumed)
    return 0
