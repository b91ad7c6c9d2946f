"""Who makes a suspended task ready, and when.

Every wake-up goes through the loop's ``call_soon``, that of a C Task as well.  What a task, a thread or a callback put
there says itself who did; the rest is known by what the loop runs just then: a timer's handle, or one that the selector
or a signal gave to ``_add_callback``.  Loops whose own methods are not Python (uvloop) show none of this.
"""

_TRIO = "/trio/_core/_run.py"

PROBES = (
    ("BaseEventLoop.call_soon", "/asyncio/base_events.py", ("SOON",)),
    ("BaseEventLoop.call_soon_threadsafe", "/asyncio/base_events.py", ("POST", "SOON")),
    ("BaseEventLoop._add_callback", "/asyncio/base_events.py", ("READY",)),
    ("Handle._run", "/asyncio/events.py", ("RUN",)),
    ("Runner._on_sigint", "/asyncio/runners.py", ("SIGNAL",)),
    ("BaseEventLoop.call_at", "/asyncio/base_events.py", ("TIMER",)),
    ("EpollSelector.select", "/selectors.py", ("SELECT",)),
    ("KqueueSelector.select", "/selectors.py", ("SELECT",)),
    ("_PollLikeSelector.select", "/selectors.py", ("SELECT",)),
    ("SelectSelector.select", "/selectors.py", ("SELECT",)),
    # trio's one way to make a task ready, and on whose behalf: of a timer's, of the selector, of another thread.
    ("Runner.reschedule", _TRIO, ("PUT",)),
    ("unrolled_run", _TRIO, ("LOOP",)),
    ("Deadlines.expire", _TRIO, ("EXPIRE",)),
    ("EpollIOManager.process_events", "/trio/_core/_io_epoll.py", ("IO",)),
    ("EpollIOManager.get_events", "/trio/_core/_io_epoll.py", ("SELECT", "ALONE")),
    ("KqueueIOManager.process_events", "/trio/_core/_io_kqueue.py", ("IO",)),
    ("KqueueIOManager.get_events", "/trio/_core/_io_kqueue.py", ("SELECT", "ALONE")),
    ("EntryQueue.run_sync_soon", "/trio/_core/_entry_queue.py", ("LEAVE",)),
    ("EntryQueue.task.<locals>.run_cb", "/trio/_core/_entry_queue.py", ("JOB",)),
    ("KIManager.install.<locals>.handler", "/trio/_core/_ki.py", ("SIGNAL",)),
    ("open_signal_receiver.<locals>.handler", "/trio/_signals.py", ("SIGNAL",)),
    ("sleep_until", "/trio/_timeouts.py", ("UNTIL",)),
)
