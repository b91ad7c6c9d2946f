/* Written by scripts/generate from async_inspect/events.py: change that. */
typedef struct { uint64_t low, high; } Slot;
typedef struct {
    char magic[8];
    uint32_t version;
    uint32_t header_size;
    uint32_t record_size;
    uint32_t pid;
    uint64_t start_ns;
    uint64_t start_unix_ns;
    uint64_t end_ns;
    uint64_t lost;
    uint32_t state;
    uint32_t meta_len;
    uint64_t callbacks;
    uint64_t timed_callbacks;
    uint64_t timed_ns;
    uint64_t flushed;
    uint64_t tail_base;
    uint32_t tail_size;
    uint32_t broken_off;
} Header;
enum {
    VERSION = 2, SLOT_SIZE = 16, BLOCK_SIZE = 65536, PIECE_SIZE = 15, LONG = 64, HEADER_SIZE = 4096,
    META_OFFSET = 128, PID_OFFSET = 20, END_NS_OFFSET = 40, LOST_OFFSET = 48, STATE_OFFSET = 56,
    CALLBACKS_OFFSET = 64, TIMED_CALLBACKS_OFFSET = 72, TIMED_NS_OFFSET = 80, FLUSHED_OFFSET = 88,
    TAIL_BASE_OFFSET = 96, TAIL_SIZE_OFFSET = 104, BROKEN_OFF_OFFSET = 108, TAIL_SIZE = 262144, COST_EVERY = 1024,
    RUNNING = 0, STOPPED = 1, CLOSED_OUTSIDE = 2, IT_GROWS = 1, AT_BOUND = 2, NO_ROOM = 3, CODE = 1, NODE = 2,
    STRING = 3, SITE = 4, THREAD = 5, TEXT = 6, RESOURCE = 7, CHAIN = 8, ANCHOR = 9, PAD = 10, FIRST_EVENT = 16,
    SPAWN = 16, NAME = 17, START = 18, ENTER = 19, RESUMED = 20, THROW = 21, SUSPEND = 22, LINK = 23, ITEM = 24,
    RETURN = 25, RAISE = 26, VANISH = 27, MESSAGE = 28, POINT = 29, WAKE = 30, SOON = 31, TIMER = 32, SELECT = 33,
    USE = 34, TAKE = 35, GIVE = 36, EDGE = 37, STACK = 38, CALLED = 39, RUNTIME_WARNING = 40, TAG = 41, CANCEL = 42,
    ON_CPU = 43, NO_CPU = 44, NAME_GIVEN = 1, IS_TASK = 1, THROWN = 2, BEFORE = 4, AWAITS_TASK = 1, IN_CHAIN = 2,
    CANCELLED = 1, CLOSED = 2, NO_TASK = 1, IDLE = 1, BY_CODE = 0, BY_CALLBACK = 1, BY_TIMER = 2, BY_IO = 3,
    BY_THREAD = 4, BY_SIGNAL = 5, BY_TASK = 6, NEVER_AWAITED = 1, NEVER_RETRIEVED = 2, DESTROYED = 3,
    CODE_PLAIN = 0, CODE_COROUTINE = 1, CODE_ASYNC_GENERATOR = 2, CODE_GENERATOR_BASED = 3, OTHER_NODE = 1,
    MAX_NODES = 1048576, MAX_SITES = 262144, MAX_STRINGS = 262144, MAX_CHAINS = 262144, MAX_THREADS = 65535,
    MAX_SITE_FRAMES = 32, MAX_MESSAGE = 200, MAX_TAG = 100, MAX_TAGS = 8
};
enum {
    FORM_EVENT, FORM_SINCE, FORM_UNTIL, FORM_START, FORM_ENTER, FORM_RESUME, FORM_SUSPEND, FORM_RETURN, FORM_RAISE,
    FORM_THROW, FORM_ITEM
};
static inline int form_of(int kind)
{
    switch (kind) {
    case TIMER:
        return FORM_UNTIL;
    case SELECT:
        return FORM_SINCE;
    case START:
        return FORM_START;
    case ENTER:
        return FORM_ENTER;
    case RESUMED:
        return FORM_RESUME;
    case SUSPEND:
        return FORM_SUSPEND;
    case RETURN:
        return FORM_RETURN;
    case RAISE:
        return FORM_RAISE;
    case THROW:
        return FORM_THROW;
    case ITEM:
        return FORM_ITEM;
    default:
        return FORM_EVENT;
    }
}
_Static_assert(sizeof(Slot) == SLOT_SIZE, "a slot");
_Static_assert(offsetof(Header, pid) == PID_OFFSET, "pid");
_Static_assert(offsetof(Header, end_ns) == END_NS_OFFSET, "end_ns");
_Static_assert(offsetof(Header, lost) == LOST_OFFSET, "lost");
_Static_assert(offsetof(Header, state) == STATE_OFFSET, "state");
_Static_assert(offsetof(Header, callbacks) == CALLBACKS_OFFSET, "callbacks");
_Static_assert(offsetof(Header, timed_callbacks) == TIMED_CALLBACKS_OFFSET, "timed_callbacks");
_Static_assert(offsetof(Header, timed_ns) == TIMED_NS_OFFSET, "timed_ns");
_Static_assert(offsetof(Header, flushed) == FLUSHED_OFFSET, "flushed");
_Static_assert(offsetof(Header, tail_base) == TAIL_BASE_OFFSET, "tail_base");
_Static_assert(offsetof(Header, tail_size) == TAIL_SIZE_OFFSET, "tail_size");
_Static_assert(offsetof(Header, broken_off) == BROKEN_OFF_OFFSET, "broken_off");
