"""The command line."""

COMMANDS = (
    "diagnose",
    "compare",
    "predict",
    "export",
    "test",
    "unpack",
    "diff",
    "rerun",
    "resume",
    "board",
    "list",
    "remove",
)
"""Words that are commands: `experiments diagnose` is `commands.diagnose.main`."""
