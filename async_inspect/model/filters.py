"""Filters: the options that select a part of a trace.

Knows: what the options mean.  They are applied in ``model/transform/select.py``, except ``pid`` (other processes aren't
even read, ``loading.py``) and the window of time, which is cut out while a trace is built (``model/building/scan.py``),
since that needs the recording.

A filtered trace is a trace like any other: all its sums hold.

- ``pid``: only what these processes recorded; of one that exec'd another program both.
- ``since_ms``, ``until_ms``: as though the recording had begun and ended then.  What was over by ``since`` is not
  there, what had begun begins at ``since``; states are those at ``until``.  Times still count from the beginning
  of the run.
- ``include``, ``exclude``: frames of functions that don't pass are folded into those that awaited them, with their time
  and without their await lines.  A task's root stays, whatever it is; a task in which nothing passes goes.
- ``task``: ``tag:VAR=x`` is tasks that set the context variable to that themselves, ``tag+:VAR=x`` also those that
  were made with it.
- ``task``, ``state``, ``min_duration_ms``: tasks that don't pass go, with all that is theirs.  Tasks count anew from 1.
  A state's name is in upper or lower case: ``waiting``, or ``Blocked`` as data.json and the CSVs have it.
"""

import shlex
from collections.abc import Container, Iterable
from fnmatch import fnmatchcase
from typing import Final, Self

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from ..errors import USAGE, UserError
from ..tracer.settings import LONGEST_MS
from . import tables as t

type Window = tuple[int, int | None]  # since, until in ns; None: to the end
ALL: Final[Window] = (0, None)
TAG: Final = "tag:"  # tasks that set it
TAG_INHERITED: Final = "tag+:"  # and those that were made with it
_STATE_CODES = {name: code for names in (t.SHOWN_STATES, t.STATES) for code, name in enumerate(names)}


class Filter(BaseModel):
    """The selected part; by default all."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)  # built when first used: a run needs few

    pid: tuple[int, ...] = ()  # processes: any of them; none: all
    task: tuple[str, ...] = ()  # globs of names, "tag:" or "tag+:" and globs of tags: any of them; none: all
    state: tuple[str, ...] = ()  # names of states, as people read them or as data.json has them
    min_duration_ms: float = 0  # of lifetimes
    since_ms: float | None = None
    until_ms: float | None = None
    include: tuple[str, ...] = ()  # globs of modules or paths, or "stdlib"
    exclude: tuple[str, ...] = ()

    @model_validator(mode="after")
    def makes_sense(self) -> Self:
        for name in self.state:
            if name.capitalize() not in _STATE_CODES:
                raise UserError(f"no state {name!r}; there are {', '.join(t.SHOWN_STATES)}", USAGE)
        since, until = self.since_ms or 0, self.until_ms
        if not all(abs(ms) <= LONGEST_MS for ms in (since, self.min_duration_ms, until or 0)):  # nor is nan
            raise UserError(f"not a time in milliseconds, up to {LONGEST_MS:g}: {self}", USAGE)
        if min(since, self.min_duration_ms, until or 0) < 0 or (until is not None and until <= since):
            raise UserError(f"nothing is in this window: {self}", USAGE)
        return self

    def __bool__(self) -> bool:
        return self != Filter()

    def __str__(self) -> str:
        """As options of the command line."""
        words: list[str] = []
        for name, value in self.model_dump(exclude_defaults=True).items():
            for one in value if isinstance(value, tuple) else (value,):
                words += [
                    f"--{name.removesuffix('_ms').replace('_', '-')}",
                    f"{one:g}" if isinstance(one, float) else str(one),
                ]
        return shlex.join(words)

    @property
    def window_ns(self) -> Window:
        return round((self.since_ms or 0) * 1e6), None if self.until_ms is None else round(self.until_ms * 1e6)

    @property
    def state_codes(self) -> list[int]:
        """The wanted ``state`` as numbers of ``tables.STATES``."""
        return [_STATE_CODES[name.capitalize()] for name in self.state]

    def passes_function(self, function: t.Function) -> bool:
        """Whether ``include`` and ``exclude`` let a function's frames be seen."""
        names = tuple(_names(function.file))
        included = not self.include or any(_matches(glob, names) for glob in self.include)
        return included and not any(_matches(glob, names) for glob in self.exclude)

    def passes_name(self, name: str, tags: Iterable[str] = (), inherited: Container[str] = ()) -> bool:
        return not self.task or any(_is_called(glob, name, tags, inherited) for glob in self.task)


def filter_of(**words: object) -> Filter:
    """A filter from keyword arguments; a single value stands for a tuple of one.  UserError: an argument is invalid."""
    for name, one in words.items():
        if Filter.model_fields[name].default == ():
            several = isinstance(one, Iterable) and not isinstance(one, (str, bytes))
            words[name] = tuple(one) if several else (one,)  # type: ignore[arg-type]
    try:
        return Filter.model_validate(words)
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{first['loc'][0]}: {first['input']!r:.100}: {first['msg']}", USAGE) from None


def narrowed(filters: Iterable[Filter]) -> Window:
    """The intersection of the windows of these filters.  UserError: it is empty."""
    since, until = 0, None
    for one in filters:
        begin, end = one.window_ns
        since = max(since, begin)
        until = end if until is None else until if end is None else min(until, end)
    if until is not None and until <= since:
        raise UserError(f"nothing is between {since / 1e6:g} and {until / 1e6:g} ms", USAGE)
    return since, until


def _is_called(glob: str, name: str, tags: Iterable[str], inherited: Container[str]) -> bool:
    if glob.startswith(TAG):
        return any(fnmatchcase(tag, glob.removeprefix(TAG)) for tag in tags if tag not in inherited)
    if glob.startswith(TAG_INHERITED):
        return any(fnmatchcase(tag, glob.removeprefix(TAG_INHERITED)) for tag in tags)
    return fnmatchcase(name, glob)


def _names(file: str) -> Iterable[str]:
    """The names by which a file can be selected: its path and its module, and all folders and packages above it."""
    plain = file.removeprefix("<stdlib>/").removeprefix("site-packages/").removeprefix("dist-packages/")
    if file.startswith("<stdlib>/"):
        yield "stdlib"
    for whole, between in ((file, "/"), (plain.removesuffix(".py").removesuffix("/__init__").replace("/", "."), ".")):
        yield whole
        for at, letter in enumerate(whole):
            if letter == between:
                yield whole[:at]


def _matches(glob: str, names: Iterable[str]) -> bool:
    glob = glob.rstrip("/")
    return any(fnmatchcase(name, glob) for name in names)
