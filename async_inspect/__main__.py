"""``python -m async_inspect``, and what the installed command calls: the same thing.

Imports nothing before it can say what a Ctrl-C does: ends the command as it ends any other, without a traceback.
"""

import gc
import os
import signal

OBJECTS = 100_000  # new ones before the collector looks: modules and columns are no cycles


def main() -> None:
    """Run the command line."""
    gc.set_threshold(OBJECTS)
    try:
        from async_inspect.cli.main import main as command
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
        raise
    try:
        command()
    finally:
        gc.freeze()  # or all that there is would be searched for cycles once more before the process ends


if __name__ == "__main__":
    main()
