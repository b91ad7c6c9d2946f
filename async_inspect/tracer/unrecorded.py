"""Listing the Pythons that this program starts and that will not be recorded, in a file beside its recording.

Knows what keeps the recorder out of a Python: -I, -E, -S, an environment without our variables.  Is called after every
child that ``subprocess`` starts (asyncio's too).  Not seen: what is started in other ways (``os.exec…``,
``os.posix_spawn``, a shell), and what a program that is no Python starts.

A line each, "pid TAB why TAB command" (the file's name is in ``events.py``).
"""

import os

from . import env

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import FrameType

PROBE = ("Popen._execute_child", "/subprocess.py", ("PROCESS",))
BOOT = f"{os.path.dirname(__file__)}/boot"
TAKES_A_WORD = "WX"  # options with a value
ENDS_OPTIONS = "cm"
MAX_COMMAND = 300  # characters


def hook(write_line: "Callable[[str], object]", merged: bool, argv: bool = True) -> "Callable[[FrameType], None]":
    """The function to call with the frame of a child's start; it writes a line if the child will not be recorded.
    ``merged``: ``inherit_env`` is installed.  ``argv``: the line has the command's arguments."""

    def on_process(frame: "FrameType") -> None:
        known = frame.f_locals
        words = [os.fsdecode(word) for word in known["args"]]
        program = os.fsdecode(known["executable"] or words[0])
        given = os.environ if known["env"] is None else known["env"]
        environ = {os.fsdecode(name): os.fsdecode(value) for name, value in given.items()}
        why = reason(program, words, environ, merged)
        if why:
            command = " ".join(" ".join(words if argv else words[:1]).split())[:MAX_COMMAND]
            write_line(f"{known['self'].pid}\t{why}\t{command}")

    return on_process


def reason(program: str, words: "list[str]", environ: "Mapping[str, str]", merged: bool = False) -> str:
    """Why this command will not be recorded; "": it will, or it is no Python, or not meant to be."""
    if not is_python(os.path.basename(program)) or environ.get(env.DISABLE) == "1":
        return ""
    if not merged and env.DIR not in environ:
        return "an environment of its own"
    given = options(words[1:])
    deaf = next((option for option in given if option in ("-I", "-E", "-S")), "")
    if env.DOOR in environ or (merged and env.DOOR in os.environ):  # preload.c stays out of debugged memory
        debugs = "PYTHONDEVMODE" in environ or "debug" in environ.get("PYTHONMALLOC", "") or "-Xdev" in given
        return f"{deaf} with debugged memory" if deaf and debugs else ""
    foreign = not merged and BOOT not in environ.get("PYTHONPATH", "").split(os.pathsep)
    return deaf or ("a PYTHONPATH of its own" if foreign else "")


def is_python(name: str) -> bool:
    """python, python3, python3.13, python3.13t"""
    return name.startswith("python") and not name.removeprefix("python").strip("0123456789.t")


def options(words: "list[str]") -> "list[str]":
    """A Python's options, one by one, each with its value."""
    found = []
    words = list(words)
    while words and words[0].startswith("-") and words[0] != "-":
        word = words.pop(0)
        for at, letter in enumerate(word[1:], 1):
            if letter == "-" or letter in ENDS_OPTIONS:
                break
            if letter in TAKES_A_WORD:
                found.append(f"-{letter}{word[at + 1 :] or (words.pop(0) if words else '')}")
                break
            found.append(f"-{letter}")
        else:
            continue
        if word[at] in ENDS_OPTIONS:
            break
    return found
