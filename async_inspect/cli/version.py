"""``async-inspect version``."""

from async_inspect._version import __version__

EXAMPLES = (("async-inspect version", ""),)


def version() -> None:
    """The version."""
    print(f"async-inspect {__version__}")
