"""What both details of recording know, as the records say it: for comparing a program's two recordings.

Knows the rules of ``events.py`` about chains, written down once more and apart from the model: at ``calls`` they are
told by LINK and by who awaits whom, at ``awaits`` by CHAIN.  Ids differ between the two, so roots, resources and
callbacks are numbered as they come.
"""

from typing import Any, NamedTuple

from async_inspect import events as ev
from async_inspect.recording.reader import Recording

type Row = tuple[Any, ...]
type Frames = tuple[tuple[str, str, int], ...]  # (file, function, offset), from the root on


class Fields(NamedTuple):
    """Of a record."""

    ts: int
    coro: int
    aux: int
    off: int
    flags: int
    task: int


class Numbers:
    """Ids in the order in which they came."""

    def __init__(self) -> None:
        self.known: dict[int, int] = {}

    def __getitem__(self, id: int) -> int:
        return self.known.setdefault(id, len(self.known) + 1) if id else 0


class View:
    """The rows of one recording."""

    def __init__(self, run: Recording) -> None:
        self.run = run
        self.rows: list[Row] = []
        self.roots, self.resources, self.callbacks = Numbers(), Numbers(), Numbers()
        self.code: dict[int, int] = {}  # of a coroutine
        self.awaiter: dict[int, int] = {}
        self.off: dict[int, int] = {}
        self.waits: dict[int, int] = {}  # at calls: the resource that a coroutine waits for, whenever it does
        self.task: dict[int, int] = {}  # of a generator that is a root: its task
        self.suspended: dict[str, Any] | None = None  # at calls its LINKs follow

    def root_of(self, coro: int) -> int:
        while self.awaiter.get(coro, 0):
            coro = self.awaiter[coro]
        return coro

    def chain_of(self, leaf: int) -> list[int]:
        found = [leaf]
        while self.awaiter.get(found[-1], 0):
            found.append(self.awaiter[found[-1]])
        return found[::-1]

    def function(self, code: int) -> tuple[str, str]:
        its = self.run.codes[code]
        return its.file, its.name

    def frames_of(self, chain: int) -> Frames:
        found = []
        while chain:
            node = int(self.run.chain_node[chain])
            found.append((*self.function(int(self.run.node_code[node])), int(self.run.chain_off[chain])))
            chain = int(self.run.chain_parent[chain])
        return tuple(found[::-1])

    def awaited(self, aux: int, flags: int) -> Row:
        if flags & ev.AWAITS_TASK:
            return "task", self.roots[aux]
        return ("thing", self.run.strings.get(aux, ""))

    def end_suspension(self) -> None:
        made, self.suspended = self.suspended, None
        if made is None:
            return
        row, frames = made["row"], made["frames"]
        uses = [(place, self.resources[resource]) for place, resource in sorted(made["uses"], reverse=True)]
        if frames is None:
            chain = self.chain_of(made["leaf"])
            frames = tuple((*self.function(self.code[one]), self.off.get(one, -1)) for one in chain)
            if row[3] != ("thing", ""):  # not one that only yields
                uses = sorted((place, self.waits[one]) for place, one in enumerate(chain, 1) if one in self.waits)
        self.rows += [(*row, frames, tuple(sorted(uses)), made["timer"]), *made["edges"]]

    def read(self) -> list[Row]:
        fields = ["ts", "kind", "coro", "aux", "off", "flags", "task"]
        for ts, kind, coro, aux, off, flags, task in self.run.records[fields].tolist():
            if kind < ev.FIRST_EVENT:
                continue
            more = kind == ev.EDGE or (kind in ev.OF_SUSPENSION and self.suspended and ts == self.suspended["ts"])
            if self.suspended is not None and not more:
                self.end_suspension()
            self.one(ts, kind, coro, aux, off, flags, task)
        self.end_suspension()
        return self.rows

    def one(self, ts: int, kind: int, coro: int, aux: int, off: int, flags: int, task: int) -> None:
        if method := getattr(self, f"on_{ev.KIND_NAMES[kind].lower()}", None):
            self.rows += method(Fields(ts, coro, aux, off, flags, task)) or []

    def on_spawn(self, it: Fields) -> list[Row]:
        made = self.roots[it.coro], self.function(it.aux), self.site(it.off), it.flags
        return [("SPAWN", *made, self.roots[it.task])]

    def on_start(self, it: Fields) -> list[Row]:
        self.code[it.coro], self.awaiter[it.coro] = it.off, it.aux
        return [] if it.aux else [self.start(it, it.flags)]

    def start(self, it: Fields, flags: int) -> Row:
        return "START", self.roots[it.coro], self.function(self.code[it.coro]), flags, self.roots[it.task]

    def on_enter(self, it: Fields) -> list[Row]:
        self.awaiter[it.coro] = it.aux
        if it.aux:
            return []
        if it.coro not in self.roots.known:  # it was awaited until now: at awaits it is first seen here
            return [self.start(it, it.flags | ev.BEFORE)]
        return [("ENTER", self.roots[it.coro], it.flags, self.roots[it.task])]

    def on_resume(self, it: Fields) -> list[Row]:
        return [("RESUME", self.roots[it.coro])]

    def on_throw(self, it: Fields) -> list[Row]:
        return [("THROW", self.roots[self.root_of(it.coro)], self.run.strings[it.aux])]

    def on_suspend(self, it: Fields) -> None:
        frames = self.frames_of(it.off) if it.flags & ev.IN_CHAIN else None
        if frames is None:
            self.off[it.coro] = it.off
        root = self.root_of(it.coro)
        row = "SUSPEND", self.roots[root], it.flags & ev.BEFORE, self.awaited(it.aux, it.flags)
        self.suspended = {"ts": it.ts, "row": row, "leaf": it.coro, "frames": frames}
        self.suspended |= {"uses": [], "timer": None, "edges": []}

    def on_link(self, it: Fields) -> None:
        self.off[it.coro] = it.off
        self.awaiter[it.aux] = it.coro

    def on_timer(self, it: Fields) -> None:
        assert self.suspended is not None
        self.suspended["timer"] = it.aux | it.off << 32

    def on_use(self, it: Fields) -> None:
        assert self.suspended is not None
        if it.off:
            self.suspended["uses"].append((len(self.frames_of(it.off)), it.aux))
        else:
            self.waits[it.coro] = self.resources[it.aux]

    def on_item(self, it: Fields) -> list[Row]:
        self.awaiter[it.coro] = 0
        return [] if it.aux else [("ITEM", self.roots[it.coro])]

    def on_return(self, it: Fields) -> list[Row]:
        ended = it.coro in self.roots.known
        return [("RETURN", self.roots[it.coro], self.run.strings.get(it.aux, ""), it.flags)] if ended else []

    def on_raise(self, it: Fields) -> list[Row]:
        return [("RAISE", *row[1:]) for row in self.on_return(it)]

    def on_name(self, it: Fields) -> list[Row]:
        return [("NAME", self.roots[it.coro])]

    def by(self, it: Fields) -> Row:
        of = {ev.BY_TASK: self.roots, ev.BY_CALLBACK: self.callbacks}.get(it.flags)
        return it.flags, of[it.aux] if of is not None else 0, self.roots[it.task]

    def on_wake(self, it: Fields) -> list[Row]:
        return [("WAKE", self.roots[it.coro], *self.by(it))]

    def on_soon(self, it: Fields) -> list[Row]:
        return [("SOON", self.callbacks[it.coro], *self.by(it))]

    def on_take(self, it: Fields) -> list[Row]:
        return [("TAKE", self.roots[it.coro], self.resources[it.aux], self.site(it.off))]

    def on_give(self, it: Fields) -> list[Row]:
        return [("GIVE", self.roots[it.coro], self.resources[it.aux])]

    def on_edge(self, it: Fields) -> None:
        rows = self.suspended["edges"] if self.suspended is not None else self.rows
        rows.append(("EDGE", self.roots[it.coro], self.roots[it.aux]))

    def on_cancel(self, it: Fields) -> list[Row]:
        return [("CANCEL", self.roots[it.coro], self.run.strings[it.aux], self.site(it.off))]

    def on_point(self, it: Fields) -> list[Row]:
        return [("POINT", self.roots[self.root_of(it.coro)])]

    def site(self, site: int) -> Frames:
        found = []
        while site:
            site, code, off = self.run.sites[site]
            found.append((*self.function(code), off))
        return tuple(found)


def known(run: Recording) -> list[Row]:
    """What either detail says, in order; of several edges in a row, and what they stand between, the order is no
    matter: at ``awaits`` they are told from the root on."""
    edges: list[Row] = []
    found: list[Row] = []
    for row in View(run).read():
        if row[0] == "EDGE":
            edges.append(row)
            continue
        found += [*sorted(edges), row]
        edges = []
    return [*found, *sorted(edges)]
