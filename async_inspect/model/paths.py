"""Paths as exports print them, and which files are the program's own.

Knows: the recording's cwd, prefixes and folders, as its metadata has them.  Looks at no file system: the recording may
come from another machine.
"""

import re
from collections.abc import Iterable
from posixpath import normpath

_LIBRARIES = re.compile(r".*/((?:site|dist)-packages/.*)", re.DOTALL)
_VERSIONED = re.compile(r"/lib(?:64)?/python3\.\d+t?/")


class Paths:
    """The rules of one recording."""

    def __init__(self, cwd: str = "", stdlib: Iterable[str] = (), site: Iterable[str] = ()) -> None:
        named = [*((f, "site-packages/") for f in site), *((f, "<stdlib>/") for f in stdlib), (cwd, "")]
        self._folders = [(f"{folder.rstrip('/')}/", name) for folder, name in named if folder.rstrip("/")]

    def shown(self, file: str) -> str:
        """``file`` (a ``co_filename``) as exports print it: relative to cwd, ``site-packages/…``, ``<stdlib>/…``."""
        if file.startswith("<frozen "):
            return f"<stdlib>/{file[8:-1].replace('.', '/')}.py"
        if not file.startswith("/") and file[1:3] != ":/":  # a drive's
            return normpath(file) if file and not file.startswith("<") else file
        if found := _LIBRARIES.fullmatch(file):
            return found[1]
        for folder, name in self._folders:
            if file.startswith(folder):
                return f"{name}{file[len(folder) :]}"
        return file

    def user(self, file: str) -> bool:
        """Whether it is the program's own: outside the standard library and site-packages."""
        return not self.shown(file).startswith(("<stdlib>/", "site-packages/", "dist-packages/"))


def stdlib_folders(declared: str, base_prefix: str, files: Iterable[str]) -> tuple[str, ...]:
    """The standard library's folders: the declared one; else those that ``files`` have below ``base_prefix``."""
    if declared:
        return (declared,)
    if not base_prefix:
        return ()
    found = (_VERSIONED.match(file, len(base_prefix)) for file in files if file.startswith(base_prefix))
    return tuple(sorted({match.string[: match.end()] for match in found if match}))
