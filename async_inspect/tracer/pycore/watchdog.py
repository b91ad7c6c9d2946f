"""The watchdog: a thread that takes one stack of each poll that lasts too long.

Knows how to tell that a poll lasts, and the record that comes of a look.  Knows nothing of why polls last.
"""

import os
import sys
from _thread import allocate_lock, get_native_id, start_new_thread
from _weakref import ref
from time import sleep

from ... import events as ev
from .guard import Record
from .processor import LOOKS, Seen
from .threads import Life, has_ended

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from .recorder import Recorder

PATIENCE = 1000  # looks, a tenth of a millisecond apart, whether it is gone
# Before 3.14, Python code of two interpreters that each have their own GIL corrupts memory when it runs at once.
INTERPRETERS = frozenset(("_xxsubinterpreters", "_interpreters") if sys.version_info < (3, 14) else ())


class Watchdog:
    """Can be started again and again: it is stopped before a fork, since Python warns of other threads then."""

    def __init__(self, recorder: "Recorder", slow_poll_ns: int) -> None:
        self.recorder = recorder
        self.slow_poll_ns = recorder.coros.slow_poll_ns = slow_poll_ns
        self.runs = self.over = False
        self.stopping = allocate_lock()  # free: stop
        self.life: Callable[[], Life | None] = _nothing  # until the thread has ended, whatever ended it
        self.thread = 0  # its id in the system

    def start(self) -> None:
        if self.runs and self.life() is None and not self.over:  # as where there was no memory: it begins anew
            self.runs = False
            self.recorder.tape.lose()
        if self.slow_poll_ns and not self.runs and not self.over:
            self.stopping.acquire(False)
            life = Life()
            self.life = ref(life)
            try:
                start_new_thread(self.watch, (life,))
                self.runs = True
            except (RuntimeError, MemoryError):  # no more threads to be had
                self.slow_poll_ns = 0
                self.recorder.tape.lose()

    def stop(self) -> None:
        if self.runs:
            self.stopping.release()
            while self.life() is not None:
                sleep(0.0001)
            self.runs = False
            # Python counts the system's threads, and this one has yet to end there.
            for _ in range(PATIENCE):
                if not os.path.exists(f"/proc/self/task/{self.thread}"):
                    break
                sleep(0.0001)

    def watch(self, life: Life) -> None:
        try:
            self.thread = get_native_id()
            self.look_on()
        except BaseException:  # mostly there is no memory: nothing here that needs some
            pass

    def look_on(self) -> None:
        looks: dict[int, tuple[int, int]] = {}  # by thread: how many of its polls had ended, how often we saw it so
        first: dict[int, Seen] = {}  # by thread: its poll, when we saw that first
        while not self.stopping.acquire(timeout=self.slow_poll_ns / 1e9 / LOOKS):
            if self.recorder.tape.broken_off or not INTERPRETERS.isdisjoint(sys.modules):
                self.over = True
                break
            states = self.recorder.coros.threads.states
            for ident in [ident for ident in looks if ident not in states]:
                del looks[ident]
                first.pop(ident, None)
            for ident, state in list(states.items()):
                serial, times = state.get("serial", 0), 0
                if state.get("top") is not None and looks.get(ident, (-1, 0))[0] == serial:
                    times = looks[ident][1] + 1
                looks[ident] = (serial, times)
                if state.get("top") is None:
                    first.pop(ident, None)
                elif times == 0 or ident not in first:
                    first[ident] = Seen(state.get("native_id", 0))
                else:
                    first[ident].look()
                    state["seen"] = (serial, first[ident])
                if times == LOOKS and not has_ended(state):
                    self.look(ident, state, serial)

    def look(self, ident: int, state: "dict[str, Any]", serial: int) -> None:
        """Write the stack of the thread whose poll still lasts."""
        recorder = self.recorder
        with Record(recorder) as free:
            top = state.get("top") if free else None
            frame = sys._current_frames().get(ident)
            if top is not None and frame is not None and state.get("serial", 0) == serial and not has_ended(state):
                site = recorder.defs.site_of(frame, recorder.probes.run_code)
                ts, root = recorder.tape.now(), top.root.id
                node = recorder.coros.told_as(top).node
                recorder.tape.put_raw(ts, root, 0, node, root, site, state["index"], 0, ev.STACK)


def _nothing() -> None:
    return None
