"""``async-inspect version``."""

from async_inspect._version import __version__


def version() -> None:
    """The version."""
    print(f"async-inspect {__version__}")
