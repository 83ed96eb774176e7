"""The command line."""

COMMANDS = ("diagnose", "compare", "predict", "diff", "rerun", "resume", "board")
"""Words that are commands: `experiments diagnose` is `commands.diagnose.main`."""
