"""Ids of code objects, await-tree nodes, strings and call sites; each is defined in the recording on first use.

Knows how a definition is written, before the first record that uses it, and what can be read off a code object: where
its awaits are, and whether a stack need be followed past it.  Knows nothing of coroutines that live, nor of events.
"""

import os
from _weakref import ref
from opcode import _intrinsic_1_descs, opmap  # type: ignore[attr-defined,unused-ignore]

from ... import events as ev
from . import introspect

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from .tape import Tape

    type Handler = Callable[[FrameType, int, object], object]

CO_COROUTINE = 0x80
CO_ITERABLE_COROUTINE = 0x100
CO_ASYNC_GENERATOR = 0x200

_SEND, _CACHE, _YIELD_VALUE, _RESUME = (opmap.get(name, 0) for name in ("SEND", "CACHE", "YIELD_VALUE", "RESUME"))
_SITE, _DIST = (f"{os.sep}{name}-packages{os.sep}" for name in ("site", "dist"))
_WRAP_ITEM = bytes((opmap["CALL_INTRINSIC_1"], _intrinsic_1_descs.index("INTRINSIC_ASYNC_GEN_WRAP")))


class Code:
    """A code object with its id in the recording."""

    __slots__ = (
        "at_return", "at_start", "awaits", "ends_stack", "id", "items", "kind", "probe", "ref", "returns", "sends",
        "suspends",
    )  # fmt: skip

    def __init__(self, id: int) -> None:
        self.id = id
        self.kind = ev.CODE_PLAIN
        self.ends_stack = False  # no frame outside this one says more about where a task was made
        self.probe = 0  # what a source wants to know of it (``actions.py``), or that a coroutine's has our local events
        self.at_start: Handler | None = None  # what is done then, of a function that is no coroutine's ...
        self.at_return: Handler | None = None  # ... (``probes.py``)
        self.returns = False  # of what makes tasks: it tells us when it returns
        self.ref: ref[CodeType] | None = None
        self.sends: frozenset[int] | None = None
        self.suspends: frozenset[int] = frozenset()
        self.items: frozenset[int] = frozenset()
        self.awaits: list[int] = []

    def look(self, code: "CodeType") -> None:
        """Find where its awaits and items are."""
        ops = code.co_code
        sends = [i for i in range(0, len(ops), 2) if ops[i] == _SEND]
        self.sends = frozenset([*sends, *[i + 2 for i in sends if ops[i + 2] == _CACHE]])
        yields = [i for i in range(0, len(ops), 2) if ops[i] == _YIELD_VALUE]
        self.suspends = frozenset([*yields, *[i + 2 for i in yields if ops[i + 2] == _RESUME]])
        self.items = frozenset(i for i in yields if ops[i - 2 : i] == _WRAP_ITEM)
        self.awaits = sorted(sends + yields) if self.kind == ev.CODE_GENERATOR_BASED else sends


class Definitions:
    """All ids of one recording, except those of coroutines and threads."""

    def __init__(self, tape: "Tape", stdlib: str, lazy: bool = False) -> None:
        """``lazy``: code is defined when a record is about it, not when it is first seen."""
        self.tape = tape
        self.lazy = lazy
        self.stdlib = stdlib.rstrip(os.sep) + os.sep
        self.codes: dict[int, Code] = {}  # by id(code); the weak reference takes it out
        self.code_ids = 0
        self.nodes: dict[tuple[int, int], int] = {}
        self.node_ids = ev.OTHER_NODE
        self.strings: dict[str, int] = {}
        self.string_ids = 0
        self.sites: dict[tuple[int, int, int], int] = {}
        self.site_ids = 0
        tape.put_definition(ev.NODE, ev.OTHER_NODE)

    def code_of(self, code: "CodeType") -> Code:
        info = self.entry_of(code)
        if not info.id:
            self.define(info, code)
        return info

    def entry_of(self, code: "CodeType") -> Code:
        found = self.codes.get(id(code))
        if found is not None:
            return found
        info = Code(0)
        key = id(code)
        codes = self.codes
        info.ref = ref(code, lambda _: codes.pop(key, None))
        codes[key] = info
        name, qualname = introspect.exact(code.co_filename), introspect.exact(code.co_qualname)
        info.ends_stack = qualname == "Handle._run" or not (
            name.startswith((self.stdlib, "<frozen ", "<attrs "))
            or _SITE in name
            or _DIST in name
            or qualname.startswith(ev.GENERATED)
        )
        flags = code.co_flags
        info.kind = (
            ev.CODE_COROUTINE
            if flags & CO_COROUTINE
            else ev.CODE_ASYNC_GENERATOR
            if flags & CO_ASYNC_GENERATOR
            else ev.CODE_GENERATOR_BASED
            if flags & CO_ITERABLE_COROUTINE
            else ev.CODE_PLAIN
        )
        if not self.lazy:
            self.define(info, code)
        return info

    def define_once(self, info: Code) -> None:
        """The entry of code that is alive."""
        code = info.ref() if info.ref is not None else None
        if not info.id and code is not None:
            self.define(info, code)

    def define(self, info: Code, code: "CodeType") -> None:
        self.code_ids += 1
        info.id = self.code_ids
        name, qualname = introspect.exact(code.co_filename), introspect.exact(code.co_qualname)
        text = introspect.utf8(name) + b"\0" + introspect.utf8(qualname) + b"\0" + code.co_linetable
        table = 0
        if info.kind != ev.CODE_PLAIN:
            info.look(code)
            table = len(code.co_linetable)
            text += b"".join([at.to_bytes(4, "little") for at in info.awaits])
        self.tape.put_definition(ev.CODE, info.id, code.co_firstlineno, len(text), info.kind, table)
        self.tape.put_text(text)

    def node_of(self, parent: int, code: Code) -> int:
        if parent == ev.OTHER_NODE:
            return parent
        node = self.nodes.get((parent, code.id), 0)
        if not node:
            if self.node_ids >= ev.MAX_NODES:
                return ev.OTHER_NODE
            self.node_ids += 1
            node = self.nodes[parent, code.id] = self.node_ids
            self.tape.put_definition(ev.NODE, node, parent, code.id)
        return node

    def string_of(self, text: str) -> int:
        text = introspect.exact(text)
        id = self.strings.get(text, 0)
        if not id:
            if len(self.strings) >= ev.MAX_STRINGS:  # what comes again is defined again
                self.strings.clear()
            self.string_ids += 1
            id = self.strings[text] = self.string_ids
            data = introspect.utf8(text)
            self.tape.put_definition(ev.STRING, id, off=len(data))
            self.tape.put_text(data)
        return id

    def type_of(self, cls: type) -> int:
        return self.string_of(introspect.type_name(cls))

    def site_of(self, frame: "FrameType | None", until: int | None = None) -> int:
        """The stack from ``frame`` outward, as far as the program's own code, the loop, or MAX_SITE_FRAMES.

        ``until``: as far as the frame whose code has this identity, past the program's own.
        """
        site = 0
        for _ in range(ev.MAX_SITE_FRAMES):
            if frame is None:
                break
            code = self.code_of(frame.f_code)
            key = (site, code.id, frame.f_lasti)
            inner, site = site, self.sites.get(key, 0)
            if not site:
                if len(self.sites) >= ev.MAX_SITES:  # mostly of code that is made anew for ever
                    self.sites.clear()
                self.site_ids += 1
                site = self.sites[key] = self.site_ids
                self.tape.put_definition(ev.SITE, site, inner, frame.f_lasti, node=code.id)
            if code.ends_stack if until is None else id(frame.f_code) == until:
                break
            frame = frame.f_back
        return site

    def is_at_await(self, code: "CodeType", lasti: int, at_send: bool) -> bool:
        """Whether a frame awaits: it is at a SEND (or, as 3.12 has it, at that one's cache).

        Not ``at_send``: at a suspended await, where a frame stands while ``throw()`` goes through it.
        """
        info = self.read_code(code)
        assert info.sends is not None
        return lasti in (info.sends if at_send else info.suspends)

    def suspended_at(self, frame: "FrameType") -> int:
        """The offset of a suspended frame, as the event of its suspension would have it."""
        suspends, lasti = self.read_code(frame.f_code).suspends, frame.f_lasti
        # From 3.13 on a frame stands after the instruction that suspended it.
        return lasti - 2 if lasti in suspends and lasti - 2 in suspends else lasti

    def is_item(self, code: "CodeType", off: int) -> bool:
        """Whether a yield of an async generator yields an item, by its bytecode.

        That the value then is a wrapper of CPython's own is a leak that is to be closed (gh-129013).
        """
        return off in self.read_code(code).items

    def read_code(self, code: "CodeType") -> Code:
        """The entry of this code, with the offsets of its awaits and items."""
        info = self.entry_of(code)
        if info.sends is None:
            info.look(code)
        return info
