"""What both details of recording know, as the records say it: for comparing a program's two recordings.

Knows the rules of ``events.py`` about chains, written down once more and apart from the model: at ``calls`` they are
told by LINK and by who awaits whom, at ``awaits`` by CHAIN.  Ids differ between the two, so roots, resources and
callbacks are numbered as they come.
"""

from collections import defaultdict
from typing import Any

from async_inspect import events as ev
from async_inspect.recording.reader import Recording

type Row = tuple[Any, ...]
type Frames = tuple[tuple[str, str, int], ...]  # (file, function, offset), from the root on


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

    def depth_of(self, chain: int) -> int:
        return len(self.frames_of(chain))

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
        name = ev.KIND_NAMES[kind]
        put = self.rows.append
        if kind == ev.SPAWN:
            put((name, self.roots[coro], self.function(aux), self.site(off), flags, self.roots[task]))
        elif kind == ev.START:
            self.code[coro], self.awaiter[coro] = off, aux
            if not aux:
                put((name, self.roots[coro], self.function(off), flags, self.roots[task]))
        elif kind == ev.ENTER:
            self.awaiter[coro] = aux
            if not aux and coro in self.roots.known:
                put((name, self.roots[coro], flags, self.roots[task]))
            elif not aux:  # it was awaited until now: at awaits it is first seen here
                put(("START", self.roots[coro], self.function(self.code[coro]), flags | ev.BEFORE, self.roots[task]))
        elif kind == ev.RESUME:
            put((name, self.roots[coro]))
        elif kind == ev.THROW:
            put((name, self.roots[self.root_of(coro)], self.run.strings[aux]))
        elif kind == ev.SUSPEND:
            root = self.root_of(coro)
            frames = self.frames_of(off) if flags & ev.IN_CHAIN else None
            if frames is None:
                self.off[coro] = off
            row = name, self.roots[root], flags & ev.BEFORE, self.awaited(aux, flags)
            self.suspended = {
                "ts": ts,
                "row": row,
                "leaf": coro,
                "frames": frames,
                "uses": [],
                "timer": None,
                "edges": [],
            }
        elif kind == ev.LINK:
            self.off[coro] = off
            self.awaiter[aux] = coro
        elif kind == ev.TIMER:
            assert self.suspended is not None
            self.suspended["timer"] = aux | off << 32
        elif kind == ev.USE:
            assert self.suspended is not None
            if off:
                self.suspended["uses"].append((self.depth_of(off), aux))
            else:
                self.waits[coro] = self.resources[aux]
        elif kind == ev.ITEM:
            if not aux:
                put((name, self.roots[coro]))
            self.awaiter[coro] = 0
        elif kind in (ev.RETURN, ev.RAISE):
            if coro in self.roots.known:
                put((name, self.roots[coro], self.run.strings.get(aux, ""), flags))
        elif kind == ev.NAME:
            put((name, self.roots[coro]))
        elif kind in (ev.WAKE, ev.SOON):
            by = (
                flags,
                self.roots[aux] if flags == ev.BY_TASK else self.callbacks[aux] if flags == ev.BY_CALLBACK else 0,
            )
            put((name, self.roots[coro] if kind == ev.WAKE else self.callbacks[coro], by, self.roots[task]))
        elif kind in (ev.TAKE, ev.GIVE):
            put((name, self.roots[coro], self.resources[aux], self.site(off) if kind == ev.TAKE else ()))
        elif kind == ev.EDGE:
            rows = self.suspended["edges"] if self.suspended is not None else self.rows
            rows.append((name, self.roots[coro], self.roots[aux]))
        elif kind == ev.CANCEL:
            put((name, self.roots[coro], self.run.strings[aux], self.site(off)))
        elif kind == ev.POINT:
            put((name, self.roots[self.root_of(coro)] if coro else 0))
        elif kind == ev.RUNTIME_WARNING:
            put((name, flags))

    def site(self, site: int) -> Frames:
        found = []
        while site:
            site, code, off = self.run.sites[site]
            found.append((*self.function(code), off))
        return tuple(found)


def known(run: Recording) -> list[Row]:
    """What either detail says, in order; of several edges in a row, and what they stand between, the order is no
    matter: at ``awaits`` they are told from the root on."""
    rows, edges, found = View(run).read(), [], []  # type: ignore[var-annotated]
    for row in rows:
        if row[0] == "EDGE":
            edges.append(row)
            continue
        found += [*sorted(edges), row]
        edges = []
    return [*found, *sorted(edges)]


def counted(rows: list[Row]) -> dict[str, int]:
    found: dict[str, int] = defaultdict(int)
    for row in rows:
        found[row[0]] += 1
    return dict(found)
