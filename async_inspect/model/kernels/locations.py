"""The function of a code object, whether it is the user's, and which frame of a stack to show."""

from collections.abc import Iterable
from typing import Final

from ... import events as ev
from ...recording.reader import Recording
from .. import tables as t
from ..paths import Paths, stdlib_folders

NOWHERE: Final = 0xFFFFFFFF  # an offset that no code has
UNKNOWN: Final = t.Function("?", "?", 0, user=False)


def folders_are_declared(recording: Recording) -> bool:
    """Whether the recording names the standard library's folder; else it is inferred from the files of all codes."""
    return bool(recording.first("stdlib"))


def functions(recording: Recording, cwd: str, codes: Iterable[int]) -> dict[int, t.Function]:
    """The functions of these codes, by id.  ``cwd``: the folder to which files are shown relative."""
    wanted = {number: recording.codes[number] for number in codes}
    among = wanted if folders_are_declared(recording) else recording.codes
    declared, prefix = recording.first("stdlib"), recording.first("base_prefix")
    folders = stdlib_folders(declared, prefix, {code.file for code in among.values()})
    paths = Paths(cwd, folders, recording.meta.get("site", ()))
    shown = {file: (paths.shown(file), paths.user(file)) for file in {code.file for code in wanted.values()}}
    found = {}
    for number, code in wanted.items():
        file, user = shown[code.file]
        user = user and not code.name.startswith(ev.GENERATED)
        found[number] = t.Function(code.name, file, code.line, user, code.await_lines)
    return found


def rank(function: t.Function) -> int:
    """The priority of a frame of this function for being shown, lowest first; of equal ones the innermost."""
    return 0 if function.user else 1 if not function.file.startswith("<stdlib>") else 2
