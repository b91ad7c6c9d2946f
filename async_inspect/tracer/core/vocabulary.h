/* The vocabulary: events.py, to the byte (a test compares). */

typedef struct {
    uint64_t ts;
    uint32_t coro, aux, node, task, off;
    uint16_t thread;
    uint8_t flags, kind;
} Record;

typedef struct {
    char magic[8];
    uint32_t version, header_size, record_size, pid;
    uint64_t start_ns, start_unix_ns, end_ns, lost;
    uint32_t state, meta_len;
    uint64_t callbacks, timed_callbacks, timed_ns;
    uint64_t flushed, tail_base;
    uint32_t tail_size;
} Header;

enum {
    CODE = 1, NODE, STRING, SITE, THREAD, TEXT, RESOURCE,
    SPAWN = 16, NAME, START, ENTER, RESUMED, THROW, SUSPEND, LINK, ITEM, RETURN, RAISE, VANISH, MESSAGE, POINT,
    WAKE, SOON, TIMER, SELECT, USE, TAKE, GIVE, EDGE, STACK, CALLED, TROUBLE, TAG, CANCEL
};
enum { TEXT_BYTES = 31, OTHER_NODE = 1, MAX_NODES = 1 << 20, MAX_SITES = 1 << 18, MAX_STRINGS = 1 << 18, MAX_THREADS = 0xFFFF, MAX_SITE_FRAMES = 32, MAX_MESSAGE = 200, MAX_TAG = 100, MAX_TAGS = 8, COST_EVERY = 1024,
       TAIL_SIZE = 1 << 16 };
enum { HIGH_FD = 1000, MAX_GATHERED = 8, MAX_MET = 256 };
enum { NAME_GIVEN = 1, IS_TASK = 1, THROWN = 2, BEFORE = 4, AWAITS_TASK = 1, CANCELLED = 1, CLOSED = 2, NO_TASK = 1, STOPPED = 1, IDLE = 1 };
enum { BY_CODE, BY_CALLBACK, BY_TIMER, BY_IO, BY_THREAD, BY_SIGNAL, BY_TASK };
enum { NEVER_AWAITED = 1, NEVER_RETRIEVED, DESTROYED };
enum { CODE_PLAIN, CODE_COROUTINE, CODE_ASYNC_GENERATOR, CODE_GENERATOR_BASED };

_Static_assert(sizeof(Record) == 32, "a record is 32 bytes");
