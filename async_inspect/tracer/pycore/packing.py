"""Records as a file's slots: in one slot where the rest follows from what was before, else in two.

Knows the forms that ``events.py`` declares, and what the last event said.  Knows neither files nor what records mean.
"""

from _struct import Struct

from ... import events as ev

_SHORT = Struct(ev.SHORT_FORMAT).pack
_LONG = Struct(ev.LONG_FORMAT).pack
_HIGHEST = 1 << 63
_TIMED = (ev.WAKE, ev.SOON)


class Packing:
    """What the records of one file were so far, as far as the next ones refer to it."""

    def __init__(self) -> None:
        self.ts = self.thread = self.node = self.task = 0  # of the last event
        self.codes = [0, 0]  # by node

    def anchor(self) -> bytes:
        """What begins a block."""
        return _long(self.ts, 0, 0, self.node, self.task, 0, self.thread, 0, ev.ANCHOR)

    def record(
        self, ts: int, coro: int, aux: int, node: int, task: int, off: int, thread: int, flags: int, kind: int
    ) -> bytes:
        """Its slots: one, or two.  ``written`` says that they are."""
        if kind < ev.FIRST_EVENT:
            if ts or task or thread or flags or node >> 24:
                return _long(ts, coro, aux, node, task, off, thread, flags, kind)
            return _SHORT(coro, aux, off, node & 0xFFFF, node >> 16, kind)
        passed = ts - self.ts
        if 0 <= passed <= 0xFFFFFFFF and thread == self.thread:
            places = self._places(ts, coro, aux, node, task, off, flags, kind)
            if places and 0 <= places[0] <= 0xFFFFFFFF and 0 <= places[1] <= 0xFFFF:
                return _SHORT(passed, coro, *places, flags, kind)
        return _long(ts, coro, aux, node, task, off, thread, flags, kind)

    def written(self, ts: int, coro: int, node: int, task: int, off: int, thread: int, kind: int) -> None:
        """The record is in the file."""
        if kind >= ev.FIRST_EVENT:
            self.ts, self.thread, self.node, self.task = ts, thread, node, task
        elif kind == ev.NODE and coro < ev.MAX_NODES:
            self.codes += [0] * (coro + 1 - len(self.codes))
            self.codes[coro] = off

    def _places(
        self, ts: int, coro: int, aux: int, node: int, task: int, off: int, flags: int, kind: int
    ) -> tuple[int, int] | None:
        """What the 32 bits and the 16 hold; None: it has to be said in two slots."""
        form, before = ev.SHORT_FORMS.get(kind, "event"), self.task
        if form in ("start", "enter", "resume"):
            runs = coro if form == "resume" or not aux else before
            fits, places = off == (self._code(node) if form == "start" else 0) and task == runs, (aux, node)
        elif form == "suspend":
            fits, places = node == task == 0, (aux, off)
        elif form == "return":
            fits, places = aux == 0 and task == (before if node else 0), (node, off)
        elif form in ("raise", "throw"):
            runs = coro if form == "throw" else before if node else 0
            fits, places = task == runs, (_halves(aux, node), off)
        elif form == "item":
            fits, places = task == before, (_halves(off, node), coro - aux)
        else:
            fits, places = node == self.node and task == before, (aux, off)
            if form != "event" or (flags == ev.BY_TIMER and kind in _TIMED):
                length = (aux | off << 32) - ts if form == "until" else ts - (aux | off << 32)
                places = length & 0xFFFFFFFF, length >> 32
        return places if fits else None

    def _code(self, node: int) -> int:
        return self.codes[node] if node < len(self.codes) else 0


def text(data: bytes) -> list[bytes]:
    """A text's slots."""
    size = ev.PIECE_SIZE
    pieces = (data[i : i + size] for i in range(0, len(data), size))
    return [piece.ljust(size, b"\0") + bytes((ev.TEXT,)) for piece in pieces]


def pad() -> bytes:
    """What fills the last slot of a block."""
    return bytes(ev.PIECE_SIZE) + bytes((ev.PAD,))


def _long(ts: int, coro: int, aux: int, node: int, task: int, off: int, thread: int, flags: int, kind: int) -> bytes:
    return _LONG(coro, aux, ts | _HIGHEST, node, task, off, thread, flags, kind | ev.LONG)


def _halves(lower: int, upper: int) -> int:
    """Two of 16 bits as one of 32; -1: they don't fit."""
    return lower | upper << 16 if lower <= 0xFFFF and upper <= 0xFFFF else -1
