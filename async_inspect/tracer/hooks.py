"""Hooks for forks and for the interpreter's exit, which can be removed again.

Knows nothing of what is called.  ``os.register_at_fork`` can't be undone: so what is registered is a function that
holds a list of calls, empty after removal, and no reference to our modules; the next recorder in this process finds it
and fills its list again."""

import os
import sys
from _weakref import getweakrefs, ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FunctionType

    type Call = Callable[[], object]

_BEFORE, _AFTER = "async-inspect: before a fork", "async-inspect: after a fork, in the child"


def add(before: "Call", after_in_child: "Call", at_exit: "Call") -> "Call":
    """Register these calls; the function that is returned removes them."""
    lists = {hook.__name__: hook.__defaults__[1] for hook in _found()}  # type: ignore[index]
    if not lists:
        lists = {_BEFORE: [], _AFTER: []}
        hooks = {name: _hook(name, calls) for name, calls in lists.items()} if hasattr(os, "register_at_fork") else {}
        if hooks:
            os.register_at_fork(before=hooks[_BEFORE], after_in_child=hooks[_AFTER])
    lists[_BEFORE].append(before)
    lists[_AFTER].append(after_in_child)
    had_atexit = "atexit" in sys.modules
    import atexit

    atexit.register(at_exit)  # under the door this is the first, so it runs last
    if not had_atexit:
        del sys.modules["atexit"]  # what is registered stays; the program finds its modules as they were

    def remove() -> None:
        lists[_BEFORE].remove(before)
        lists[_AFTER].remove(after_in_child)
        atexit.unregister(at_exit)

    return remove


def _hook(name: str, calls: "list[Call]") -> "FunctionType":
    """A function that calls these, without a reference to our module's globals, which it would keep alive."""

    def forward(weak, calls, _found_by):  # type: ignore[no-untyped-def]
        if weak is None:  # else no fork, but the end of the interpreter: what the reference is to is gone
            for call in calls:
                call()

    found_by: list[object] = []
    hook: FunctionType = type(forward)(forward.__code__, {"__builtins__": {}}, name, (None, calls, found_by))  # type: ignore[misc]
    found_by.append(ref(os.register_at_fork, hook))  # how the next recorder finds it
    return hook


def _found() -> "list[FunctionType]":
    """The hooks that an earlier recorder in this process registered."""
    if not hasattr(os, "register_at_fork"):
        return []
    found = (weak.__callback__ for weak in getweakrefs(os.register_at_fork))
    return [hook for hook in found if type(hook) is type(_hook) and hook.__name__ in (_BEFORE, _AFTER)]  # type: ignore[misc]
