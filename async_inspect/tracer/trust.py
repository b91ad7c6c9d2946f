"""Whether a file that is about to be used as code or configuration could have been written by another user.

Knows owners, modes, links and the folders up to the root.  One rule, for the tool and, where a core is loaded, for the
traced program: the file, every folder and every link on its path belong to this user or root, and no other user may
write them.  A sticky folder (``/tmp``) is acceptable on the path.  So no other user can change the file between this
check and its use, either.
"""

import os

MAX_LINKS = 40  # as the kernel
_KIND, _FOLDER, _LINK = 0o170000, 0o040000, 0o120000  # of a mode; the module ``stat`` is one more for the target
_STICKY, _BY_GROUP, _BY_ALL = 0o1000, 0o020, 0o002
_ACL = "system.posix_acl_access"


def untrusted(path: str) -> str:
    """Why the file at this path must not be used; "": it may be.  A missing file must not be used, either."""
    if not hasattr(os, "geteuid"):
        return ""  # Windows: whose a file is stands in lists that Python doesn't read
    try:
        return _walk(path if path.startswith("/") else f"{os.getcwd()}/{path}")
    except OSError as error:
        return f"{error.filename or path}: {error.strerror}"


def _walk(path: str) -> str:
    """From the root down, links resolved as the kernel does."""
    at, left, links = "/", path.split("/")[::-1], 0
    reason = _who_else(at, os.lstat(at))
    while left and not reason:
        name = left.pop()
        if name in ("", "."):
            continue
        if name == "..":
            at = os.path.dirname(at)
            continue
        at = os.path.join(at, name)
        status = os.lstat(at)
        reason = _who_else(at, status)
        if status.st_mode & _KIND == _LINK:
            links += 1
            if links > MAX_LINKS:
                return f"{path} is a loop of symbolic links"
            to = os.readlink(at)
            left += to.split("/")[::-1]
            at = "/" if to.startswith("/") else os.path.dirname(at)
    return reason


def _who_else(path: str, status: os.stat_result) -> str:
    """Why another user could have written this one file, folder or link; "": none could."""
    mode, owner = status.st_mode, status.st_uid
    if owner not in (os.geteuid(), 0):
        return f"{path} is another user's (uid {owner})"
    if mode & _KIND == _LINK or (mode & _KIND == _FOLDER and mode & _STICKY):
        return ""
    if mode & _BY_ALL:
        return f"everybody may write {path} (chmod o-w)"
    if mode & _BY_GROUP and not (status.st_gid == owner and _ACL not in _attributes(path)):
        return f"the group {status.st_gid} may write {path} (chmod g-w)"
    return ""


def _attributes(path: str) -> "list[str]":
    """The extended attributes, among them an ACL, which may grant more than the mode of a user's private group."""
    return os.listxattr(path) if hasattr(os, "listxattr") else []
