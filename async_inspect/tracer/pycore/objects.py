"""Numbers of objects by address, as long as these are alive: the twin of what core/maps.c has for it.

Knows when an object is gone, by a weak reference, which calls nobody and keeps nothing alive.  Does not know what is
kept, nor of what.  Standard library only.
"""

from _weakref import ref

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LEAST = 256
MAX_UNREFERENCED = 1 << 16


class Objects:
    """Numbers by address.

    An entry outlives its object: those of objects that were gone the last time, too, go when there are many more than
    live.  Not at once, and nobody asks whether an object lives: what the collector is about to finalize has no weak
    references any more, and may still be asked about.

    Of objects that can have no weak reference so many are known at most.  When there are more, all of them are
    forgotten, and counted as lost.
    """

    def __init__(self, lose: "Callable[[], object]") -> None:
        self.lose = lose
        self.numbers: dict[int, int] = {}
        self.refs: dict[int, ref[object]] = {}
        self.gone: set[int] = set()
        self.most = LEAST

    def get(self, key: int) -> int:
        """0: nothing is known."""
        return self.numbers.get(key, 0)

    def pop(self, key: int) -> int:
        self.refs.pop(key, None)
        self.gone.discard(key)
        return self.numbers.pop(key, 0)

    def set(self, key: int, number: int, owner: object) -> None:
        """``owner``: the entry is valid as long as it is alive, mostly the object itself; None: not known."""
        if not number:
            self.pop(key)
            return
        known = self.refs.get(key)
        if known is not None and known() is owner:
            self.numbers[key] = number
            return
        self.pop(key)
        if len(self.numbers) >= self.most:
            self.forget()
        its = _ref(owner)
        if its is None and len(self.numbers) - len(self.refs) >= MAX_UNREFERENCED:
            self.lose_unreferenced()
        self.numbers[key] = number
        if its is not None:
            self.refs[key] = its

    def lose_unreferenced(self) -> None:
        for key in self.numbers.keys() - self.refs.keys():
            del self.numbers[key]
            self.lose()

    def forget(self) -> None:
        for key in list(self.gone):
            self.pop(key)
        self.gone = {key for key, its in self.refs.items() if its() is None}
        living = len(self.numbers) - len(self.gone)
        self.most = len(self.numbers) + max(living, LEAST)


def _ref(owner: object) -> "ref[object] | None":
    try:
        return ref(owner) if owner is not None else None
    except TypeError:  # of a class with __slots__
        return None
