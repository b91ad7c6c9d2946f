"""Tags: the values of requested context variables, as a task's code sees them.

Knows which values are text that may be recorded, and when there is something new to say.  Read where a coroutine stops,
from the context of whoever runs: that is the task's own.  Nothing of the program's is called: variables compare by
identity, and only an exact str, int or UUID is a value.
"""

from itertools import islice

from ... import events as ev
from . import introspect
from .coroutine import Coro
from .coroutines import Coroutines

TYPE_CHECKING = False

_MAX_VARIABLES = 256
_MASK = (1 << 64) - 1


class Tags:
    def __init__(self, coros: Coroutines, names: tuple[str, ...]) -> None:
        from _contextvars import ContextVar, copy_context  # not where nobody asks for a tag

        self.coros = coros
        self.names = names
        self.vars: dict[str, ContextVar[object]] = {}  # once found
        self.var_type = ContextVar
        self.context = copy_context

    def find(self) -> None:
        """Find requested variables in the current context that were not found before; of one name the first."""
        for var in islice(self.context(), _MAX_VARIABLES):
            if type(var) is self.var_type and var.name in self.names:
                self.vars.setdefault(var.name, var)

    def record_tags(self, root: Coro) -> None:
        """The running coroutine is about to stop: write its root's tags, if they have changed."""
        if len(self.vars) < len(set(self.names)):
            self.find()
        context = self.context()
        values = [_value(context.get(self.vars[name])) if name in self.vars else None for name in self.names]
        key = 0
        for value in values:
            key = (key * 1000003 + (hash(value[0]) * 2 + 1 if value is not None else 0)) & _MASK
        if key in (0, root.tags):
            return
        root.tags = key
        for name, value in zip(self.names, values, strict=True):
            text = _text(*value) if value is not None else None
            if text is not None:
                data = introspect.utf8(name) + b"\0" + introspect.utf8(text)
                self.coros.put(ev.TAG, self.coros.tape.now(), root.id, 0, self.coros.thread.top, len(data))
                self.coros.tape.put_text(data)


def _value(value: object) -> tuple[str | int, bool] | None:
    """A value that may be recorded, and whether it is a UUID's number."""
    if type(value) is str or type(value) is int:
        return value, False
    if value is not None and type(value) is introspect.part("uuid", "UUID"):
        number = introspect.get(value, "int")
        return (number, True) if type(number) is int else None
    return None


def _text(value: str | int, uuid: bool) -> str | None:
    if uuid:
        digits = f"{value:032x}"
        if len(digits) != 32:
            return None
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    try:
        return str(value)[: ev.MAX_TAG]
    except ValueError:  # an int of so many digits that Python won't say them
        return None
