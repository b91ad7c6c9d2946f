"""The vocabulary: what a recording consists of, to the byte.  Read this first.

Knows: the kinds of records, their fields, the header.  Knows nothing of how they are made (``tracer/``) or what they
mean together (``model/``).  Imported by the viewer *and* loaded into the traced program: standard library only, and
nothing but constants, so that loading it costs the program nothing.

A recording is one file of one process::

    header      ``header_size`` bytes, a multiple of HEADER_SIZE: fixed fields, then the metadata as text
    tail        ``tail_size`` bytes: the newest slots, up to the first whose last byte is 0
    body        all the slots before those: ``flushed`` of them

Slots have SLOT_SIZE bytes.  Slot number *n* is in the body if *n* < ``flushed``, else in the tail, a ring, at *n*
modulo its size.  The target writes into a shared mapping of header and tail, so that each record is in the file as
soon as it is made, whatever becomes of the process, and a follower sees it at once.  What is full of the tail is
appended to the body in one ``write`` (a quarter of the cost of mapping the file as it grows, and a full disk is an
error there, not a SIGBUS).  The order of stores makes every moment readable: the body's bytes, then ``flushed``, then
these slots of the tail are zeroed, then ``tail_base`` says up to which slot that is done.  A slot's last byte is
written last, and of two slots the first one's, so a record is either whole or not there.  A recording may be cut off
at any byte and still opens with what it holds, in order: where the body is shorter than ``flushed``, the tail does
not follow it.

A record says (``RECORD_FIELDS``; all of it when it is read, whatever it took to write it)::

    ts      CLOCK_MONOTONIC in nanoseconds; 0 in definitions
    coro    the subject: a coroutine, or the id being defined
    aux     by kind, see below
    node    the await-tree node that runs on this thread AFTER the record (0: none, the loop or plain code)
    task    the task that runs on this thread AFTER the record (0: none)
    off     by kind: mostly the bytecode offset where ``coro`` stands
    thread  index of the writing thread (see THREAD)
    flags   by kind
    kind

It is written in one slot where most of that follows from what comes before, else in two, whole.  A slot's last byte
tells which::

    0           nothing is written here
    1 to 63     a record of this kind in one slot; or a piece of text (TEXT); or PAD
    64 to 127   the second slot of a record of this kind plus LONG
    128 to 255  the first slot of such a record

    first       u32 coro, u32 aux, u64 ts with its highest bit set
    second      u32 node, u32 task, u32 off, u16 thread, u8 flags, u8 kind plus LONG
    an event    u32 ns since the event before it, u32 coro, u32 and u16 by its form (FORMS), u8 flags, u8 kind
    definition  u32 coro, u32 aux, u32 off, u24 node, u8 kind; flags, task, thread are 0
    text        PIECE_SIZE bytes of it, then TEXT

"Before" is: in the file.  So that no more than a block of BLOCK_SIZE bytes depends on a slot that is damaged, each
begins with an ANCHOR, in two slots, which says ts, thread, node and task of the event before it; what was read of the
block before must come to the same.  No record is in two blocks: the one slot that would be left is a PAD.

Because each event says what runs *after* it, the time from one event of a thread to that thread's next belongs to
``node`` and ``task``: self time is one difference and one ``bincount``, without rebuilding any stack.

Ids (coroutines, nodes, codes, strings, sites, resources, callbacks, threads) count from 1 (threads from 0) and are
never used twice in a recording; but when there have been MAX_THREADS threads, a new one has the index of one that has
ended.  Two ids of strings or sites may say the same (MAX_STRINGS, MAX_SITES).

A task's id is the id of its root coroutine.  A task that is made of a *step* of an async generator
(``create_task(gen.__anext__())``, ``asend()``, ``athrow()``, ``aclose()``) is no coroutine: it has an id of its own,
counted with theirs.  The generator, which can run for one such task after the other, is then entered with no awaiter
(0), and ``task`` is the task's id; SPAWN, NAME, RETURN, RAISE, MESSAGE and VANISH are about the task itself.

Where a record holds a moment besides its own, that is 64 bits in ``aux`` (the lower half) and ``off``.

How much of this is written is the recording's *detail* (metadata "detail"): at ``calls`` (or where it isn't said) all;
at ``awaits`` only roots are coroutines with an id.  Of what they await there is no START, RETURN, LINK, ITEM: a SUSPEND
says the whole chain (IN_CHAIN), which is defined once, as a CHAIN for each of its frames.  RESUME's leaf is the root
itself, THROW's coroutine the root, and ``node`` after a record the root's node: how a poll's time divides over the
coroutines that ran is not known, nor which ran and never suspended.
"""

MAGIC = b"ASYNCREC"
VERSION = 2  # in 1, each record took 32 bytes: recording/version1.py
RECORD_FIELDS = ("ts", "coro", "aux", "node", "task", "off", "thread", "flags", "kind")
SLOT_SIZE = 16
BLOCK_SIZE = 1 << 16
PIECE_SIZE = SLOT_SIZE - 1  # bytes of a text in a slot
LONG = 64  # added to the kind of a record in two slots
SHORT_FORMAT = "<IIIHBB"
LONG_FORMAT = "<IIQIIIHBB"

# The header's fixed fields (``HEADER_FORMAT``, then zeros up to META_OFFSET, then ``meta_len`` bytes of metadata).
# ``end_ns``, ``lost``, ``state`` and the cost fields are kept up to date in place while the recording grows.
HEADER_FORMAT = "<8sIIIIQQQQIIQQQQQII"
HEADER_FIELDS = (
    "magic",
    "version",
    "header_size",
    "record_size",  # of a slot
    "pid",
    "start_ns",  # CLOCK_MONOTONIC when the recording began
    "start_unix_ns",  # the same moment as Unix time
    "end_ns",  # CLOCK_MONOTONIC when it ended; 0 while it runs, or when nobody saw its end
    "lost",  # slots that were due and not written. After the recording broke off nothing is heard that could be counted
    "state",  # RUNNING, STOPPED, CLOSED_OUTSIDE
    "meta_len",
    "callbacks",  # events the core was called for
    "timed_callbacks",  # of these, how many were timed (every COST_EVERY-th) ...
    "timed_ns",  # ... and how long those took together: the tracer's own cost, measured
    "flushed",  # slots in the body
    "tail_base",  # slots before this one are in the tail no more
    "tail_size",  # bytes; 0: the core has not started yet
    "broken_off",  # why no more can be written: IT_GROWS, AT_BOUND, NO_ROOM; 0: an older one, see ``lost``
)
HEADER_SIZE = 4096
META_OFFSET = 128
PID_OFFSET = 20
END_NS_OFFSET = 40
LOST_OFFSET = 48
STATE_OFFSET = 56
CALLBACKS_OFFSET = 64
TIMED_CALLBACKS_OFFSET = 72
TIMED_NS_OFFSET = 80
FLUSHED_OFFSET = 88
TAIL_BASE_OFFSET = 96
TAIL_SIZE_OFFSET = 104
BROKEN_OFF_OFFSET = 108
TAIL_SIZE = 4 * BLOCK_SIZE
COST_EVERY = 1024

RUNNING = 0  # the process still records, or died without a word
STOPPED = 1  # the tracer stopped in good order
CLOSED_OUTSIDE = 2  # the launcher saw the process end and wrote end_ns

IT_GROWS = 1
AT_BOUND = 2  # one block more would exceed it
NO_ROOM = 3  # the disk was full, there is a limit on files, or the file is ours no more

# --- kinds -----------------------------------------------------------------------------------------------------------
# Definitions. They come before the first record that uses them; ``ts`` is 0 and ``node``/``task`` say nothing.

CODE = 1  # coro: code id. aux: first line. flags: CODE_*. off: bytes of text, in TEXT slots that follow:
#           filename NUL qualname NUL co_linetable (as it is: the reader decodes lines, so nothing is resolved here).
#           node: of what awaits, the table's bytes, and after it come the offsets of its await points, u32 each;
#           0: the table is the rest, and the await points aren't said
NODE = 2  # coro: node id. aux: parent node (0: a root). off: code id (0: OTHER_NODE, where the cap sends the rest)
STRING = 3  # coro: string id. off: bytes of UTF-8 in TEXT slots that follow
SITE = 4  # a call stack, one frame a record. coro: site id. aux: the next frame INWARD (0: this is the innermost).
#           node: code id. off: bytecode offset. The site itself is the outermost frame that was kept
THREAD = 5  # coro: thread index. aux: the kernel's thread id
TEXT = 6  # a piece of the text of the definition before it, zero-padded
RESOURCE = 7  # what tasks wait for or hold: a lock, a queue … coro: resource id. aux: string id of its type.
#               off: site where it was made (0: not seen)
CHAIN = 8  # a suspended frame and all that await it. coro: chain id. aux: the chain of who awaits it (0: a root).
#            node: its node. off: the bytecode offset where it stands

ANCHOR = 9  # begins a block: ts, thread, node, task of the event before it. No record: whoever reads leaves it out
PAD = 10  # ends a block in which the next record has no room. Likewise

FIRST_EVENT = 16  # kinds from here on are events: they have a time, and node/task after them

SPAWN = 16  # coro: a coroutine that was made a task and has not run yet, by ``task``. aux: code id. off: site where.
#             flags: NAME_GIVEN, BEFORE (site and ``task`` are not known then)
NAME = 17  # coro: task. off: bytes of text that follow. The name the program gave; a later NAME replaces it
START = 18  # coro began to run. aux: its awaiter (0: a root). off: code id. flags: IS_TASK, THROWN, BEFORE
ENTER = 19  # coro (mostly an async generator) was entered again, by awaiter aux (0: as a root). node: its leaf's node.
#             flags: IS_TASK, THROWN
RESUME = 20  # root coro was resumed. aux: the leaf of its chain, which runs now (everything between is implied)
THROW = 21  # an exception was thrown into the suspended chain at coro; all its awaiters count as resumed.
#             aux: string id of the exception's type
SUSPEND = 22  # leaf coro yielded and its whole chain is suspended. aux: string id of the awaited thing's type
#               (0: a bare yield), or with AWAITS_TASK the task's id. Its awaiters are those of the last suspension
#               but where a LINK follows. flags: AWAITS_TASK, BEFORE, IN_CHAIN
LINK = 23  # in the suspension before it, coro stands at off, awaiting aux (differs from last time). ts: the SUSPEND's
ITEM = 24  # async generator coro handed an item to awaiter aux (0: to plain code)
RETURN = 25  # coro returned, or it was a task of a step, and that came to a good end. flags: CANCELLED, CLOSED
#              coro 0, also of RAISE: at ``awaits``, something ended that a root awaits which is being closed: until the
#              close() comes to who awaited that, the root doesn't run
RAISE = 26  # coro ended by an exception. aux: string id of its type. flags: CANCELLED, CLOSED
VANISH = 27  # coro ended without an event (closed with no try open, or never run); it ended at some time before ts.
#              As flags it may have NO_TASK
MESSAGE = 28  # coro: the task that raised. off: bytes of text that follow: what the exception said
POINT = 29  # an inspection point. coro: the coroutine that ran (0: none). off: bytes that follow: label NUL message

# From here on: what the sources (``tracer/sources``) see above coroutines. Each can be switched off; the metadata's
# "source" lines say which were on.
WAKE = 30  # the suspended task coro was put among what the loop runs next. By whom: flags, BY_*
SOON = 31  # a callback that is no step of a task was put there. coro: callback id. By whom: flags, BY_*
TIMER = 32  # the suspension before it waits for a timer. coro: its leaf. aux, off: when that is due. ts: the SUSPEND's
SELECT = 33  # the loop's selector was asked what is ready, and answered at ts. aux, off: when it was asked. flags: IDLE
USE = 34  # in the suspension before it, coro waits for resource aux, then and whenever it does. ts: the SUSPEND's.
#           off: 0; at ``awaits`` coro is the root, it waits so in this suspension alone, and off says in which of the
#           chain's frames, as the chain up to that one
TAKE = 35  # coro took resource aux, and holds it. off: site where
GIVE = 36  # coro (0: plain code) gave resource aux back, whoever held it
EDGE = 37  # task coro waits for task aux by way of something that gathers tasks (gather, wait, TaskGroup, shield …)
STACK = 38  # the watchdog's: what the task coro did at ts, in a poll that had then lasted too long. off: site, up to
#             the loop (0: it did not let the watchdog look)
CALL = 39  # coro calls something at offset off. aux: string id of its name
RUNTIME_WARNING = 40  # flags: NEVER_AWAITED (aux: code id, off: site where it was dropped); NEVER_RETRIEVED (coro: the
#                       task that failed, 0: not known; aux: string id of the exception's type); DESTROYED (coro: the
#                       task, 0: not known)
TAG = 41  # coro: a root in which a context variable that was asked for has another value than when it was last looked
#           at. off: bytes that follow: the variable's name NUL the value's text

CANCEL = 42  # coro was woken (by the WAKE before it) since a cancel scope or a timeout, above it, is cancelled. aux:
#              string id of its type. off: site where it was made (0: not seen)

# Of a poll of task coro that lasted long, just after its end: of its last microseconds, which are off in number, for
# how many (aux) its thread ...
ON_CPU = 43  # ... ran
NO_CPU = 44  # ... waited for a processor. Not there where the system doesn't say it

# Each kind once: its name, and what its fields ``coro``, ``aux`` and ``off`` hold: the id of such a thing (0: of none;
# a task's is one of "coroutine"); "": no id; "text": how many bytes of text follow, in TEXT slots.
KINDS = {
    CODE: ("CODE", "code", "", "text"),
    NODE: ("NODE", "node", "node", "code"),
    STRING: ("STRING", "string", "", "text"),
    SITE: ("SITE", "site", "site", ""),
    THREAD: ("THREAD", "thread", "", ""),
    TEXT: ("TEXT", "", "", ""),
    RESOURCE: ("RESOURCE", "resource", "string", "site"),
    CHAIN: ("CHAIN", "chain", "chain", ""),
    SPAWN: ("SPAWN", "coroutine", "code", "site"),
    NAME: ("NAME", "coroutine", "", "text"),
    START: ("START", "coroutine", "coroutine", "code"),
    ENTER: ("ENTER", "coroutine", "coroutine", ""),
    RESUME: ("RESUME", "coroutine", "coroutine", ""),
    THROW: ("THROW", "coroutine", "string", ""),
    SUSPEND: ("SUSPEND", "coroutine", "string", ""),
    LINK: ("LINK", "coroutine", "coroutine", ""),
    ITEM: ("ITEM", "coroutine", "coroutine", ""),
    RETURN: ("RETURN", "coroutine", "string", ""),
    RAISE: ("RAISE", "coroutine", "string", ""),
    VANISH: ("VANISH", "coroutine", "", ""),
    MESSAGE: ("MESSAGE", "coroutine", "", "text"),
    POINT: ("POINT", "coroutine", "", "text"),
    WAKE: ("WAKE", "coroutine", "", ""),
    SOON: ("SOON", "", "", ""),
    TIMER: ("TIMER", "coroutine", "", ""),
    SELECT: ("SELECT", "", "", ""),
    USE: ("USE", "coroutine", "resource", "chain"),
    TAKE: ("TAKE", "coroutine", "resource", "site"),
    GIVE: ("GIVE", "coroutine", "resource", ""),
    EDGE: ("EDGE", "coroutine", "coroutine", ""),
    STACK: ("STACK", "coroutine", "", "site"),
    CALL: ("CALL", "coroutine", "string", ""),
    RUNTIME_WARNING: ("RUNTIME_WARNING", "coroutine", "string", ""),
    TAG: ("TAG", "coroutine", "", "text"),
    CANCEL: ("CANCEL", "coroutine", "string", "site"),
    ON_CPU: ("ON_CPU", "coroutine", "", ""),
    NO_CPU: ("NO_CPU", "coroutine", "", ""),
}
# How an event is written in one slot.  By form: what the 32 bits and the 16 hold, then the node and the task after
# it. A field that they don't hold is 0, but START's ``off``, which is the code of its node.  "coro - aux" is that
# difference; "ts - moment" and "moment - ts" take all 48 bits, the moment is in ``aux`` and ``off``; "aux, node" are
# 16 bits each, the lower ones first.  "before": as after the event before it; an event in one slot is of the same
# thread as that.
FORMS = {
    "event": ("aux", "off", "before", "before"),
    "since": ("ts - moment", "", "before", "before"),
    "until": ("moment - ts", "", "before", "before"),
    "start": ("aux", "node", "", "before; coro where aux is 0"),
    "enter": ("aux", "node", "", "before; coro where aux is 0"),
    "resume": ("aux", "node", "", "coro"),
    "suspend": ("aux", "off", "0", "0"),
    "return": ("node", "off", "", "before; 0 where node is 0"),
    "raise": ("aux, node", "off", "", "before; 0 where node is 0"),
    "throw": ("aux, node", "off", "", "coro"),
    "item": ("off, node", "coro - aux", "", "before"),
}
SHORT_FORMS = {  # of these kinds; of all others it is "event", of WAKE and SOON with BY_TIMER "since"
    TIMER: "until",
    SELECT: "since",
    START: "start",
    ENTER: "enter",
    RESUME: "resume",
    SUSPEND: "suspend",
    RETURN: "return",
    RAISE: "raise",
    THROW: "throw",
    ITEM: "item",
}
KIND_NAMES = {kind: row[0] for kind, row in KINDS.items()}
HAS_TEXT = tuple(kind for kind, row in KINDS.items() if row[3] == "text")
OF_SUSPENSION = (LINK, TIMER, USE)  # they say more of the suspension before them, and have its time

# flags
NAME_GIVEN = 1  # SPAWN: the program named the task (a NAME follows)
IS_TASK = 1  # START, ENTER: a runtime's Task owns this root; else it is driven by hand
THROWN = 2  # START, ENTER: the first thing that happened to it was an exception
BEFORE = 4  # START, SPAWN, SUSPEND: that was so before the recording began. Those that are suspended, or have not run
#             yet, are written as they stand at one moment, with which the recording's time begins
AWAITS_TASK = 1  # SUSPEND: aux is a task id
IN_CHAIN = 2  # SUSPEND: coro is a root, and off the chain in which it is suspended, to its leaf
CANCELLED = 1  # RETURN, RAISE of a task: the Task itself says that it was cancelled
CLOSED = 2  # RETURN, RAISE of a root: closed from outside, not by a step of its task
NO_TASK = 1  # VANISH after a SPAWN: create_task itself failed, there was no task
IDLE = 1  # SELECT: the loop had nothing else to do and let the selector wait

# WAKE and SOON: by whom
BY_CODE = 0  # by what ran: ``task`` (0: not known)
BY_CALLBACK = 1  # by a callback. aux: its id
BY_TIMER = 2  # aux, off: when it was due (0: on a clock that isn't ours)
BY_IO = 3  # the selector said so, the last time it answered on this thread
BY_THREAD = 4  # by ``thread``, where no loop runs: call_soon_threadsafe
BY_SIGNAL = 5  # by a signal's handler
BY_TASK = 6  # by the step of task aux whose coroutine has just stopped: mostly, that has ended

# RUNTIME_WARNING
NEVER_AWAITED = 1
NEVER_RETRIEVED = 2
DESTROYED = 3

# CODE flags
CODE_PLAIN = 0
CODE_COROUTINE = 1
CODE_ASYNC_GENERATOR = 2
CODE_GENERATOR_BASED = 3  # types.coroutine

# Flags are bits, but of these kinds they are one of some numbers, up to this.
MOST_FLAGS = {CODE: CODE_GENERATOR_BASED, WAKE: BY_TASK, SOON: BY_TASK, RUNTIME_WARNING: DESTROYED}
# What fields hold in place of what ``KINDS`` says where a kind has such flags.
BY_FLAGS = {
    (SUSPEND, AWAITS_TASK): ("coroutine", "coroutine", ""),
    (SUSPEND, IN_CHAIN): ("coroutine", "string", "chain"),
    (SUSPEND, AWAITS_TASK | IN_CHAIN): ("coroutine", "coroutine", "chain"),
    (WAKE, BY_TASK): ("coroutine", "coroutine", ""),
    (SOON, BY_TASK): ("", "coroutine", ""),
    (RUNTIME_WARNING, NEVER_AWAITED): ("coroutine", "code", "site"),
}

GENERATED = "__create_fn__."  # begins the names of what dataclasses write, which is in no file of the program's
OTHER_NODE = 1  # defined first in every recording
MAX_NODES = 1 << 20
MAX_SITES = 1 << 18  # that are kept to be found again; then all are forgotten, and what comes again is defined again
MAX_STRINGS = 1 << 18  # likewise
MAX_CHAINS = 1 << 18  # likewise
MAX_THREADS = 0xFFFF
MAX_SITE_FRAMES = 32
MAX_MESSAGE = 200  # characters
MAX_TAG = 100  # characters of a value
MAX_TAGS = 8  # variables

MISSED_SUFFIX = ".missed"  # in place of ".rec": Pythons that the process started and that are not recorded, one a line,
#                            "pid TAB why TAB command"; there only if there are any

# What a MESSAGE may be taken from, and what a name made up by asyncio looks like, is decided in the cores.
# Metadata: one "key TAB value LF" a line; a key may come several times (a list). In values, backslash, TAB, LF and CR
# are escaped as \\ \t \n \r; bytes are UTF-8 with surrogateescape.
