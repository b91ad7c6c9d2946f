"""``python -m async_inspect``, and what the installed command calls: the same thing.

Imports nothing before it can say what a Ctrl-C does: ends the command as it ends any other, without a traceback.
"""

import os
import signal


def main() -> None:
    """Run the command line."""
    try:
        from async_inspect.cli.main import main as command
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        raise
    command()


if __name__ == "__main__":
    main()
