"""Where things are, in a checkout and in an installed wheel."""

from pathlib import Path


def config_folder() -> Path:
    """The folder of config.yaml and the groups: the checkout's conf/, or the wheel's copy of it."""
    package = Path(__file__).resolve().parents[1]
    checkout = package.parents[1] / "conf"
    return checkout if (checkout / "config.yaml").is_file() else package / "conf"
