"""``python -m async_inspect``: the same as ``async-inspect``."""

from async_inspect.cli.main import main

if __name__ == "__main__":
    main()
