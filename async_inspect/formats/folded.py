"""flamegraph.txt: folded stacks, ``frame;frame;frame weight``, weights in whole microseconds.

Rounding loses nothing: the weights add up to the exact sum, rounded once (largest remainders are rounded up).
"""

from collections.abc import Iterator

from ..model.trace import Trace
from .stacks import function_of, path, stacks


def write(
    trace: Trace, *, include_polls: bool = True, include_awaits: bool = True, min_duration_ms: float = 0
) -> Iterator[bytes]:
    """``include_polls``: stacks that ran. ``include_awaits``: stacks that waited. Stacks of less than
    ``min_duration_ms`` in all are left out."""
    found: dict[str, int] = {}
    for stack in stacks(trace, include_polls, include_awaits):
        if stack.ns >= min_duration_ms * 1e6:
            frames = [_frame(function_of(trace, node)) for node in path(trace, stack.node)]
            if stack.wait:
                frames.append(_clean(stack.wait.text))
            text = ";".join(frames)
            found[text] = found.get(text, 0) + stack.ns
    for text, weight in zip(found, whole_microseconds(list(found.values())), strict=True):
        if weight:
            yield f"{text} {weight}\n".encode()


def whole_microseconds(ns: list[int]) -> list[int]:
    """Nanoseconds as microseconds, each rounded down or up, such that their sum is the sum's."""
    whole = [value // 1000 for value in ns]
    missing = (sum(ns) + 500) // 1000 - sum(whole)
    for at in sorted(range(len(ns)), key=lambda i: -(ns[i] % 1000))[:missing]:
        whole[at] += 1
    return whole


def _frame(function: tuple[str, str, int, bool]) -> str:
    name, file, line, _ = function
    return _clean(f"{name} ({file}:{line})" if file else name)


def _clean(text: str) -> str:
    return text.replace(";", ",").replace("\n", " ").replace("\r", " ")
