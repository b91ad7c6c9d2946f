"""What ends a run: the summary as soon as the recording is read, then the files, then the line about them.

Imports rich only for what is shown: ``--quiet`` shows nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from ..checks import survey
from ..errors import FAILED
from ..formats import check_names, writing
from ..model.trace import Trace
from ..support.internal import explained, say
from .progress import writing_bar


def report(trace: Trace, folder: Path, formats: Sequence[str] | None, quiet: bool) -> int:
    """Print the summary, unless ``quiet``, and write the reports; 0, or FAILED where the summary says that a check
    failed.

    UserError: there is no such format; some reports could not be written: the others are there.
    """
    check_names(formats or ())
    failed = [] if quiet else _summary(trace, folder)
    if formats and not quiet and (large := writing.announced(trace, formats)):
        say(large)
    try:
        with writing_bar() as progress:
            written = writing.write(trace, folder, formats, progress)
    except writing.IncompleteError as error:
        written = error.files
        failed += error.lines
    if not quiet:
        from .summary import render_files

        render_files(trace, written, () if formats else writing.left_out(trace))
    elif failed and trace.meta.lost:
        failed.append(f"{trace.meta.lost:,} events were lost while it was recorded")
    if failed:
        raise writing.IncompleteError(failed, written)
    return FAILED if not quiet and survey(trace).failed else 0


def _summary(trace: Trace, folder: Path) -> list[str]:
    """Print it; a line where it failed, which costs no report."""
    from .summary import render

    try:
        render(trace)
    except Exception as error:  # noqa: BLE001 - the files are written all the same
        return [explained("the summary failed", error, folder)]
    return []
