"""Whether an exception that was raised amid our code is our error, or the program's (from a signal handler, say).

Knows which frames are ours.  Standard library only.
"""

_OUR_ERRORS = ("builtins", "struct")  # modules of what our own code may raise
_HELPERS = ("os", "_collections_abc")  # ... and of functions that it calls
_type_module = type.__dict__["__module__"].__get__


def is_ours(exc: BaseException) -> bool:
    """Whether it is our error, which must not be raised into the program.

    It may be what a signal's handler raised just then, or what another thread has this one raise: those are the
    program's, and pass as though they had not come through our frames.
    """
    try:
        beyond = step = exc.__traceback__
        while step is not None:
            if _is_our_package(step.tb_frame.f_globals.get("__package__")):
                beyond = step.tb_next
            step = step.tb_next
        step = beyond
        while step is not None and step.tb_frame.f_globals.get("__name__") in _HELPERS:
            step = step.tb_next
        if step is None and issubclass(type(exc), Exception) and _type_module(type(exc)) in _OUR_ERRORS:
            return True
        exc.__traceback__ = beyond
    except MemoryError:
        return True
    return False


def _is_our_package(name: object) -> bool:
    return type(name) is str and (name == __package__ or name.startswith(f"{__package__}."))
