"""The one kind of error that is the user's to know: a clear line and an exit status."""

USAGE = 2  # as typer does
FAILED = 1
FOUND = 3  # check: something is wrong with the run
INTERRUPTED = 130  # Ctrl-C, as shells say it


class UserError(Exception):
    """Something that the user can understand and change.  The CLI prints the line, and no traceback.

    ``lines``: what is printed; mostly one, whatever signs a name in it has.
    """

    def __init__(self, message: str, status: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.lines: tuple[str, ...] = (message,)
        self.status = status
