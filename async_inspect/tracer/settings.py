"""How a process, and what it forks, is recorded: every setting, and which values it can have.

Knows their meanings.  Knows nothing of how they come here (the command line, the environment, ``async_inspect.trace``).
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

DEFAULT_MAX_SIZE = 4 << 30
DEFAULT_SLOW_POLL_MS = 100.0
LONGEST_MS = 1e12  # 31 years; what is longer is a slip, and would soon not fit into 64 bits of nanoseconds
SMALLEST_SIZE, LARGEST_SIZE = 1 << 16, 1 << 60  # bytes
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
DETAILS = ("calls", "awaits")


class Settings:
    """How a process, and what it forks, is recorded."""

    def __init__(
        self,
        max_size: int = DEFAULT_MAX_SIZE,
        without: "Collection[str]" = (),
        slow_poll_ms: float = DEFAULT_SLOW_POLL_MS,
        callees: bool = False,
        children: bool = True,
        tags: "Collection[str]" = (),
        run: str = "",
        argv: bool = True,
        detail: str = "calls",
    ) -> None:
        """``max_size``: the bound of the recording, in bytes.  ``without``: sources that are off.  ``slow_poll_ms``: a
        poll that lasts longer is looked into (0: none is).  ``callees``: what coroutines call is recorded, by name.
        ``children``: so is what the process forks, and under the door every Python that it starts.  ``tags``: names of
        context variables whose text is recorded.  ``run``: the id of the run that it belongs to; "": it
        stands alone.  ``argv``: command lines are recorded.  ``detail``: "calls", or "awaits": of coroutines only
        roots are heard, and whole chains where these suspend.  ValueError: a bound, time or detail that can't be."""
        if not 0 <= max_size <= LARGEST_SIZE:
            raise ValueError(f"max_size {max_size}: not between 0 and {LARGEST_SIZE} bytes")
        if not 0 <= slow_poll_ms <= LONGEST_MS:
            raise ValueError(f"slow_poll_ms {slow_poll_ms}: not between 0 and {LONGEST_MS:g} ms")
        if detail not in DETAILS:
            raise ValueError(f"detail {detail!r}: not one of {', '.join(DETAILS)}")
        if callees and detail != "calls":
            raise ValueError(f"callees are not heard with detail {detail!r}")
        self.max_size = max_size
        self.without = tuple(without)
        self.slow_poll_ms = slow_poll_ms
        self.callees = callees
        self.detail = detail
        self.run = run
        self.argv = argv
        self.tags = tuple(tags)
        self.children = children


def size_of(size: "int | str") -> int:
    """Bytes, from a number of them or "500MB", "4G", "unlimited".  ValueError: that is no size, or less than 64 KB."""
    if not isinstance(size, str):
        return _sound(size, size)
    if size.strip() == "unlimited":
        return LARGEST_SIZE
    number = size.strip().upper().removesuffix("B").removesuffix("I").strip()
    unit = number[-1:] if number[-1:] in UNITS else ""
    try:
        return _sound(int(float(number.removesuffix(unit)) * UNITS[unit]), size)
    except (ValueError, OverflowError):
        return _sound(0, size)


def _sound(size: int, given: "int | str") -> int:
    if not SMALLEST_SIZE <= size <= LARGEST_SIZE:
        raise ValueError(f"{given}: give a size like 500MB or 4GB, at least 64KB, or unlimited")
    return size
