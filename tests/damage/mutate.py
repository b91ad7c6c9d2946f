"""Recordings damaged in ways that are chosen by numbers: bits, fields, slots, headers, cuts, two recordings in one.

Knows where things are in a file.  A mutation is a function of the file's bytes and a ``random.Random``, so whoever
draws the numbers (a seed, hypothesis) decides all of it.
"""

import struct
from collections.abc import Callable, Sequence
from random import Random

from async_inspect import events as ev

type Mutation = Callable[[bytearray, Random], None]

# Where a slot has a field, and of how many bytes: of a record in one slot, of one in two its first and its second.
_FIELDS = ((0, 4), (4, 4), (8, 4), (12, 2), (14, 1), (15, 1))
_FIRST, _SECOND = ((0, 4), (4, 4), (8, 8)), ((0, 4), (4, 4), (8, 4), (12, 2), (14, 1), (15, 1))
_WORDS = [0, 1, 2, 3, 0x7F, 0xFF, 0x100, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
_WORDS += [1 << 40, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 1]


def slots_of(data: bytes | bytearray) -> list[int]:
    """Where slots are that are not empty."""
    if len(data) < ev.META_OFFSET:
        return []
    start = struct.unpack_from("<I", data, 12)[0] or ev.HEADER_SIZE
    ends = range(min(start, len(data)), len(data) - ev.SLOT_SIZE + 1, ev.SLOT_SIZE)
    return [at for at in ends if data[at + ev.PIECE_SIZE]]


def _fields(data: bytearray, slot: int) -> Sequence[tuple[int, int]]:
    last = data[slot + ev.PIECE_SIZE]
    return _FIELDS if last < ev.LONG else _SECOND if last < 2 * ev.LONG else _FIRST


def _size(at: int, size: int, data: bytearray, random: Random) -> None:
    """A number there gets a bit flipped, a few more or less, or another value altogether."""
    value = int.from_bytes(data[at : at + size], "little")
    how = random.randrange(3)
    if how == 0:
        value ^= 1 << random.randrange(8 * size)
    elif how == 1:
        value += random.choice((-2, -1, 1, 2, 7))
    else:
        value = random.choice(_WORDS)
    data[at : at + size] = (value % (1 << 8 * size)).to_bytes(size, "little")


def bit(data: bytearray, random: Random) -> None:
    """Any bit."""
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def field(data: bytearray, random: Random) -> None:
    """A field of a slot."""
    if there := slots_of(data):
        slot = random.choice(there)
        at, size = random.choice(_fields(data, slot))
        _size(slot + at, size, data, random)


def fields(data: bytearray, random: Random) -> None:
    """The same field of several slots."""
    if there := slots_of(data):
        at, size = random.choice(_FIELDS)
        for slot in random.sample(there, min(len(there), random.randrange(2, 9))):
            _size(slot + at, size, data, random)


def header(data: bytearray, random: Random) -> None:
    """A field of the header, past its magic word."""
    sizes = [struct.calcsize(f"<{letter}") for letter in ev.HEADER_FORMAT[3:]]
    which = random.randrange(len(sizes))
    at = 8 + sum(sizes[:which])
    if len(data) >= at + sizes[which]:
        _size(at, sizes[which], data, random)


def metadata(data: bytearray, random: Random) -> None:
    """A byte of the metadata: no UTF-8, an end of line, a tab …"""
    end = ev.META_OFFSET + struct.unpack_from("<I", data, 60)[0] if len(data) > ev.META_OFFSET else 0
    if ev.META_OFFSET < end <= len(data):
        data[random.randrange(ev.META_OFFSET, end)] = random.choice((0, 9, 10, 13, 27, 0x22, 0x5C, 0x80, 0xFF, 0x39))


def text(data: bytearray, random: Random) -> None:
    """A byte of a text: of a name, a file, a table of lines."""
    if there := [at for at in slots_of(data) if data[at + ev.PIECE_SIZE] == ev.TEXT]:
        data[random.choice(there) + random.randrange(ev.PIECE_SIZE)] = random.randrange(256)


def swap(data: bytearray, random: Random) -> None:
    """Two slots."""
    if there := slots_of(data):
        a = random.choice(there)
        b = random.choice([at for at in there if abs(at - a) <= 4 * ev.SLOT_SIZE] if random.random() < 0.5 else there)
        one, other = bytes(data[a : a + ev.SLOT_SIZE]), bytes(data[b : b + ev.SLOT_SIZE])
        data[a : a + ev.SLOT_SIZE], data[b : b + ev.SLOT_SIZE] = other, one


def duplicate(data: bytearray, random: Random) -> None:
    """A slot in place of another."""
    if there := slots_of(data):
        a, b = random.choice(there), random.choice(there)
        data[b : b + ev.SLOT_SIZE] = data[a : a + ev.SLOT_SIZE]


def drop(data: bytearray, random: Random) -> None:
    """A slot or some: what follows moves up."""
    if there := slots_of(data):
        number = random.choice((1, 1, 1, 2, 5, 20))
        at = random.choice(there)
        del data[at : at + number * ev.SLOT_SIZE]
        data += bytes(number * ev.SLOT_SIZE) if random.random() < 0.5 else b""


def insert(data: bytearray, random: Random) -> None:
    """A slot once more."""
    if there := slots_of(data):
        a, b = random.choice(there), random.choice(there)
        data[b:b] = data[a : a + ev.SLOT_SIZE]


def kind(data: bytearray, random: Random) -> None:
    """A slot becomes another kind's."""
    if there := slots_of(data):
        data[random.choice(there) + ev.PIECE_SIZE] = random.choice(
            [*ev.KIND_NAMES, *(kind | ev.LONG for kind in ev.KIND_NAMES), 0, 15, ev.ANCHOR, ev.PAD, 200]
        )


def hole(data: bytearray, random: Random) -> None:
    """A page of zeros, or of noise."""
    if data:
        at = random.randrange(len(data)) // 512 * 512
        size = min(512, len(data) - at)
        data[at : at + size] = bytes(size) if random.random() < 0.5 else random.randbytes(size)


def cut(data: bytearray, random: Random) -> None:
    """The end is missing."""
    del data[random.randrange(len(data) + 1) :]


def more(data: bytearray, random: Random) -> None:
    """More than there was."""
    data += random.randbytes(random.choice((1, 15, 16, 31, 32, 320)))


MUTATIONS: dict[str, Mutation] = {
    one.__name__: one
    for one in (
        bit, field, fields, header, metadata, text, swap, duplicate, drop, insert, kind, hole, cut, more,
    )
}  # fmt: skip


def spliced(one: bytes, other: bytes, random: Random) -> bytearray:
    """The first slots of one recording, then those of another."""
    data, mine, theirs = bytearray(one), slots_of(one), slots_of(other)
    if mine and theirs:
        at, begin = random.choice(mine), random.choice(theirs)
        piece = other[begin : begin + random.randrange(1, 40) * ev.SLOT_SIZE]
        data[at : at + len(piece)] = piece
    return data


def mutant(recordings: Sequence[bytes], random: Random) -> tuple[bytes, str]:
    """A damaged recording, and what was done to it."""
    data, done = bytearray(random.choice(recordings)), []
    if random.random() < 0.07:
        data = spliced(bytes(data), random.choice(recordings), random)
        done.append("spliced")
    while not done or random.random() < 0.3:
        name = random.choice([*MUTATIONS])
        MUTATIONS[name](data, random)
        done.append(name)
    return bytes(data), " ".join(done)
