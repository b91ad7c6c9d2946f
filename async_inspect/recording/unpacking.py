"""A file's slots become records of equal size, whatever it took to write each.

Knows the forms that ``events.py`` declares, and what follows from what.  Knows nothing of what records mean, nor which
are valid (``slots.py``): what can't be understood becomes a record that is not, and keeps its place.  ``version1.py``
does the same for files of version 1.
"""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .. import events as ev
from .slots import DAMAGED, LONGEST_TEXT, RECORD_SIZE, SLOT, TEXT_BYTES, Raw, Slots, among

type _Bools = npt.NDArray[np.bool_]
type _Ints = npt.NDArray[np.intp]
type _Any1d = npt.NDArray[Any]

_PIECE = 1 << 15  # slots that are unpacked at a time: they stay in the processor's cache
_NEAR: Final = 64  # slots, among which most texts begin
_BLOCK: Final = ev.BLOCK_SIZE // ev.SLOT_SIZE
_FIRST: Final = 128  # the last byte of a record's first slot of two, at least
_NO_THREAD: Final = ev.MAX_THREADS  # no thread has this index

_INVALID, _NOTHING, _DEFINITION, _TEXT, _WHOLE, _EVENT = range(6)  # from _EVENT on: the forms of events in one slot
_FORM: Final = {name: _EVENT + number for number, name in enumerate(ev.FORMS)}


def _forms() -> npt.NDArray[np.uint8]:
    """The form of a slot by its last byte, before slots are taken together."""
    forms = np.full(256, _INVALID, np.uint8)
    forms[1 : ev.FIRST_EVENT] = _DEFINITION
    forms[ev.FIRST_EVENT : ev.LONG] = _FORM["event"]
    for kind, form in ev.SHORT_FORMS.items():
        forms[kind] = _FORM[form]
    forms[[ev.TEXT, ev.PAD, ev.ANCHOR, DAMAGED]] = _TEXT, _NOTHING, _INVALID, _INVALID
    return forms


_FORM_OF: Final = _forms()
_NEW_NODE: Final = np.isin(np.arange(256), [_FORM[name] for name, row in ev.FORMS.items() if row[2] != "before"])
_LONG: Final = np.uint32(ev.LONG << 24)
_NOT_WHOLE: Final = (0, ev.TEXT, ev.PAD, DAMAGED)


class Unpacking:
    """What the slots of one file were so far, as far as those that follow refer to it."""

    slot_size: Final = ev.SLOT_SIZE

    def __init__(self) -> None:
        self.damaged = 0  # blocks that do not begin with an ANCHOR, or with one that says something else than was read
        self._ts = self._node = self._task = 0  # of the last event ...
        self._thread = _NO_THREAD  # ... of which nothing is known without an ANCHOR
        self._codes = np.zeros(2, np.uint32)  # by node

    def tail(self, data: Raw, size: int, first: int, base: int) -> Raw:
        """The slots of a tail of ``size`` bytes from number ``first`` on, as far as they are there without a gap.

        ``base``: what is before that has been zeroed; what should be and is not is in the places of the last ones.
        """
        slots = size // ev.SLOT_SIZE
        at = first % slots if slots else 0
        found = np.concatenate([data[at:], data[:at]]) if len(data) == slots else data[at:]
        return found[: max(base + slots - first, 0)]

    def whole(self, raw: Raw) -> int:
        """How many of these slots come before a record, or a text, that is not complete."""
        tags = raw[:, -1]
        count = len(tags) - int(len(tags) > 0 and tags[-1] >= _FIRST)
        for near in (_NEAR, LONGEST_TEXT):
            begin = max(count - near, 0)
            last = tags[begin:count]
            others = np.flatnonzero((last != ev.TEXT) & ~_between(last))
            if len(others):
                break
        else:
            return count
        tags = last
        owner = int(others[-1])
        is_long = tags[owner] >= ev.LONG
        kind, words = int(tags[owner]) & (ev.LONG - 1), raw[begin + owner].view("<u4")
        if kind not in ev.HAS_TEXT:
            return count
        size = int(words[2]) if is_long or kind < ev.FIRST_EVENT else int(words[3]) & 0xFFFF
        there, needed = int(np.count_nonzero(tags[owner:] == ev.TEXT)), -(-size // ev.PIECE_SIZE)
        return max(begin + owner - int(is_long), 0) if there < needed <= LONGEST_TEXT else count

    def unpack(self, raw: Raw, first: int) -> Iterator[Slots]:
        """The records of these slots, the first of which has that number, a piece at a time.  Texts are complete."""
        begin = 0
        while begin < len(raw):
            end = _end_of_piece(raw, begin)
            yield self._piece(raw[begin:end], first + begin)
            begin = end

    def _piece(self, raw: Raw, first: int) -> Slots:
        words, tags, count = raw.view("<u4"), np.ascontiguousarray(raw[:, -1]), len(raw)
        form, kind = _FORM_OF.take(tags), tags & (ev.LONG - 1)
        wholes, anchors = self._pairs(tags, form, kind, first)
        definitions, seconds = np.flatnonzero(form == _DEFINITION), wholes + 1

        passed, coro, aux, last = np.ascontiguousarray(words.T)
        passed = np.where(form >= _EVENT, passed, 0).cumsum(dtype=np.uint64)
        off, node, task = last & 0xFFFF, np.zeros(count, np.uint32), np.zeros(count, np.uint32)
        coro[definitions], aux[definitions], off[definitions] = words[definitions, :3].T
        node[definitions] = last[definitions] & 0xFFFFFF
        coro[wholes], aux[wholes] = words[wholes, :2].T
        node[wholes], task[wholes], off[wholes], last[wholes] = words[seconds].T
        self._note_codes(np.concatenate([definitions, wholes]), kind, coro, off)

        says_all = wholes[(kind[wholes] >= ev.FIRST_EVENT) | (kind[wholes] == ev.ANCHOR)]
        stated = words[says_all, 2:].reshape(-1).view("<u8") & np.uint64((1 << 63) - 1)
        ts = passed + _held(says_all, self._ts, stated - passed[says_all], count)
        thread = _held(says_all, self._thread, last[says_all] & 0xFFFF, count)
        new_node, new_task = _NEW_NODE.take(form), form == _FORM["suspend"]
        self._places(form, (coro, aux, off, node, task), new_task)
        new_node[says_all] = new_task[says_all] = True
        given, taken = np.flatnonzero(new_node), np.flatnonzero(new_task)
        node_after = _held(given, self._node, node[given], count)
        task_after = _held(taken, self._task, task[taken], count)
        self._check(anchors, says_all, ts, thread, node_after, task_after)
        self._moments(form, kind, last, aux, off, ts)

        found = np.empty((count, RECORD_SIZE // 4), np.uint32)
        found.view(np.uint64)[:, 0] = ts
        for column, values in enumerate((coro, aux, node_after, task_after, off, last & 0xFFFF0000 | thread), 2):
            found[:, column] = values
        found[definitions, :2], found[definitions, 5] = 0, 0
        found[definitions, 4], found[definitions, 7] = node[definitions], kind[definitions].astype(np.uint32) << 24
        found[wholes, :2] = words[wholes, 2:] & (0xFFFFFFFF, 0x7FFFFFFF)
        found[wholes, 4], found[wholes, 5], found[wholes, 7] = node[wholes], task[wholes], last[wholes] & ~_LONG
        invalid, texts = np.flatnonzero(form == _INVALID), np.flatnonzero(form == _TEXT)
        found[invalid, :7], found[invalid, 7] = 0, DAMAGED << 24
        found[texts, :4], found[texts, 4:7], found[texts, 7] = words[texts], 0, ev.TEXT << 24
        found[texts, 3] &= 0xFFFFFF
        form[anchors] = _NOTHING
        records = _kept(found, form != _NOTHING)
        return _with_texts(records) if len(texts) else records

    def _pairs(self, tags: Raw, form: _Any1d, kind: _Any1d, first: int) -> tuple[_Ints, _Ints]:
        """The first slots of records in two, and those of them that are anchors; their forms and kinds are set."""
        begins = np.flatnonzero(tags[:-1] >= _FIRST)
        tag = tags[begins + 1]
        begins = begins[(tag >= ev.LONG) & (tag < _FIRST) & ((begins + 1 + first) % _BLOCK > 0)]
        is_anchor, is_place = kind[begins + 1] == ev.ANCHOR, (begins + first) % _BLOCK == 0
        form[begins + 1], kind[begins] = _NOTHING, kind[begins + 1]
        begins = begins[(is_anchor == is_place) & ~among(kind[begins], _NOT_WHOLE)]
        form[begins] = _WHOLE
        anchors = begins[kind[begins] == ev.ANCHOR]
        self.damaged += len(range(-first % _BLOCK, len(tags), _BLOCK)) - len(anchors)
        return begins, anchors

    def _note_codes(self, rows: _Ints, kind: _Any1d, coro: _Any1d, off: _Any1d) -> None:
        nodes = rows[kind[rows] == ev.NODE]
        nodes = nodes[coro[nodes] < ev.MAX_NODES]
        if len(nodes):
            size = int(coro[nodes].max()) + 1
            if size > len(self._codes):
                self._codes = np.pad(self._codes, (0, max(size, 2 * len(self._codes)) - len(self._codes)))
            self._codes[coro[nodes]] = off[nodes]

    def _places(self, form: _Any1d, fields: tuple[_Any1d, ...], new_task: _Bools) -> None:
        """Fields that are in the places of others: so far ``aux`` has the 32 bits, and ``off`` the 16."""
        coro, aux, off, node, task = fields
        for name in ("start", "enter", "resume"):
            rows = np.flatnonzero(form == _FORM[name])
            node[rows] = off[rows]
            off[rows] = self._code(node[rows]) if name == "start" else 0
            roots = rows if name == "resume" else rows[aux[rows] == 0]
            task[roots], new_task[roots] = coro[roots], True
        for name in ("return", "raise", "throw", "item"):
            rows = np.flatnonzero(form == _FORM[name])
            wide = aux[rows]
            node[rows] = wide if name == "return" else wide >> 16
            if name == "item":
                aux[rows], off[rows] = coro[rows] - off[rows], wide & 0xFFFF
                continue
            aux[rows] = 0 if name == "return" else wide & 0xFFFF
            ends = rows if name == "throw" else rows[node[rows] == 0]
            task[ends], new_task[ends] = coro[ends] if name == "throw" else 0, True

    def _code(self, nodes: _Any1d) -> _Any1d:
        return np.where(nodes < len(self._codes), self._codes[np.minimum(nodes, len(self._codes) - 1)], 0)

    def _moments(self, form: _Any1d, kind: _Any1d, last: _Any1d, aux: _Any1d, off: _Any1d, ts: _Any1d) -> None:
        """Moments besides the record's own, said by how far they are from it."""
        timed = (form == _FORM["event"]) & among(kind, (ev.WAKE, ev.SOON)) & (last >> 16 & 0xFF == ev.BY_TIMER)
        for later, rows in (
            (False, np.flatnonzero((form == _FORM["since"]) | timed)),
            (True, np.flatnonzero(form == _FORM["until"])),
        ):
            length = aux[rows].astype(np.uint64) | off[rows].astype(np.uint64) << np.uint64(32)
            moment = ts[rows] + length if later else ts[rows] - length
            aux[rows], off[rows] = moment & np.uint64(0xFFFFFFFF), moment >> np.uint64(32)

    def _check(self, anchors: _Ints, says_all: _Ints, ts: _Any1d, thread: _Any1d, node: _Any1d, task: _Any1d) -> None:
        """Each block must have come to what the anchor after it says; and keep what this piece comes to.

        Where it has not, it is not known which of its times are too late: none is later than the anchor's.
        """
        for at in anchors.tolist():
            stated = tuple(int(values[at]) for values in (ts, thread, node, task))
            found = tuple(int(values[at - 1]) for values in (ts, thread, node, task)) if at else self._state
            if found[1] != _NO_THREAD and found != stated:
                self.damaged += 1
                before = int(np.searchsorted(says_all, at))
                counted = slice(says_all[before - 1] + 1 if before else 0, at)
                np.minimum(ts[counted], ts[at], out=ts[counted])
        self._ts, self._thread, self._node, self._task = (int(values[-1]) for values in (ts, thread, node, task))

    @property
    def _state(self) -> tuple[int, int, int, int]:
        return self._ts, self._thread, self._node, self._task


def _kept(words: _Any1d, keep: _Bools) -> Slots:
    """The records of these rows of words.  (To index records themselves costs ten times as much.)"""
    return words.take(np.flatnonzero(keep), axis=0).reshape(-1).view(SLOT)


def _held(rows: _Ints, before: int, values: _Any1d, count: int) -> _Any1d:
    """Each value from its row on up to the next one's; ``before``: what holds up to the first."""
    lengths = np.diff(rows, prepend=0, append=count)
    return np.repeat(np.concatenate([np.array([before], values.dtype), values]), lengths)


def _between(tags: _Any1d) -> _Bools:
    """Which slots are not in the way of a text: pads and anchors."""
    seconds = tags == ev.LONG | ev.ANCHOR
    found: _Bools = (tags == ev.PAD) | seconds
    found[:-1] |= seconds[1:] & (tags[:-1] >= _FIRST)
    return found


def _end_of_piece(raw: Raw, begin: int) -> int:
    """Where a piece ends, so that no record and no text is in two."""
    end = begin + _PIECE
    while end < len(raw):
        tags = raw[begin : end + 2, -1]  # one more: it tells whether the slot before is an anchor's
        whole = np.flatnonzero((tags != ev.TEXT) & ~_between(tags) & ((tags < ev.LONG) | (tags >= _FIRST)))
        whole = whole[whole <= end - begin]
        if len(whole) and whole[-1] > 0:
            return begin + int(whole[-1])
        end += _PIECE  # a text that is longer
    return len(raw)


def _with_texts(records: Slots) -> Slots:
    """The records with texts in pieces of their size; those that have not as many as they must get no right number."""
    kinds = np.ascontiguousarray(records["kind"])
    texts = np.flatnonzero(kinds == ev.TEXT)
    begins = np.flatnonzero(np.diff(texts, prepend=-2) > 1)  # of each run of them
    there = np.diff(begins, append=len(texts))
    owners = texts[begins] - 1
    size = np.where((owners >= 0) & among(kinds[owners], ev.HAS_TEXT), records["off"][owners].astype(np.int64), 0)
    sound = -(-size // ev.PIECE_SIZE) == there
    keep = np.ones(len(records), np.bool_)
    keep[texts[begins][~sound & (-(-size // TEXT_BYTES) == there)]] = False
    begins, there, size, rows = begins[sound], there[sound], size[sound], texts[begins[sound]]
    needed = -(-size // TEXT_BYTES)
    piece = np.arange(needed.sum()) - np.repeat(needed.cumsum() - needed, needed)
    at = np.repeat(begins * ev.PIECE_SIZE, needed) + piece * TEXT_BYTES
    end = np.repeat((begins + there) * ev.PIECE_SIZE, needed)
    data = records.view(np.uint8).reshape(-1, RECORD_SIZE)
    flat = np.append(data[texts, : ev.PIECE_SIZE].reshape(-1), np.uint8(0))
    places = at[:, np.newaxis] + np.arange(TEXT_BYTES)
    data[np.repeat(rows, needed) + piece, :TEXT_BYTES] = flat[np.where(places < end[:, np.newaxis], places, -1)]
    left = there - needed
    keep[np.repeat(rows + needed, left) + np.arange(left.sum()) - np.repeat(left.cumsum() - left, left)] = False
    return _kept(records.view(np.uint32).reshape(-1, RECORD_SIZE // 4), keep)
