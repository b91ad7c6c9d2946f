/* The C core: sys.monitoring events to records, at a cost one can live with.
 *
 * The same contract (_core.pyi) and the same records as its readable twin, _pycore.py: read that one first.  Functions
 * here have the names of the twin's methods and do the same in the same order; a property test holds them to it.  What
 * is only here is what makes it fast:
 *
 *   - callbacks are METH_FASTCALL builtins; no frame object is ever made (but for the probes, which read an argument);
 *   - a coroutine is known by its interpreter frame, found through PyThreadState.current_frame, stable for its life;
 *   - a code object's entry sits in its co_extra slot and dies with it; nothing of the program is kept alive;
 *   - the clock is CLOCK_MONOTONIC by way of the processor's own counter, where the kernel trusts that itself.
 *
 * Needs the GIL: it is not loaded on a free-threaded build.  Static state, single-phase init: main interpreter only.
 * Allocations that fail lose records (counted), never the program.
 *
 * Builds on CPython 3.12 to 3.15 from this one source.  The version differences are in the section FRAMES.
 */
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE_MODULE 1
#include <Python.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/syscall.h>
#endif
#include <opcode.h>
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_interpframe_structs.h"
#include "internal/pycore_stackref.h"
#endif
#include "internal/pycore_frame.h"
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_interpframe.h"
#endif
#include "internal/pycore_genobject.h"

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- the vocabulary: events.py, to the byte (a test compares) ---- */

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
    WAKE, SOON, TIMER, SELECT, USE, TAKE, GIVE, EDGE, STACK, CALLED, TROUBLE
};
enum { TEXT_BYTES = 31, OTHER_NODE = 1, MAX_NODES = 1 << 20, MAX_SITE_FRAMES = 32, MAX_MESSAGE = 200, COST_EVERY = 1024,
       TAIL_SIZE = 1 << 16 };
enum { HIGH_FD = 1000, MAX_GATHERED = 8 };
enum { NAME_GIVEN = 1, IS_TASK = 1, THROWN = 2, BEFORE = 4, AWAITS_TASK = 1, CANCELLED = 1, CLOSED = 2, NO_TASK = 1, STOPPED = 1, IDLE = 1 };
enum { BY_CODE, BY_CALLBACK, BY_TIMER, BY_IO, BY_THREAD, BY_SIGNAL, BY_TASK };
enum { NEVER_AWAITED = 1, NEVER_RETRIEVED, DESTROYED };
enum { CODE_PLAIN, CODE_COROUTINE, CODE_ASYNC_GENERATOR, CODE_GENERATOR_BASED };

_Static_assert(sizeof(Record) == 32, "a record is 32 bytes");

/* ---- state ---- */

/* What a function's call, or its end, tells us: the contract (_core.pyi) says it. */
enum {
    P_SPAWN = 1 << 0, P_GROUP = 1 << 1, P_SOON = 1 << 2, P_READY = 1 << 3, P_RUN = 1 << 4, P_SIGNAL = 1 << 5,
    P_TIMER = 1 << 6, P_SELECT = 1 << 7, P_MADE = 1 << 8, P_GIVE = 1 << 9, P_USE = 1 << 10, P_TAKE = 1 << 11,
    P_MANY = 1 << 12, P_SHIELD = 1 << 13, P_NEVER = 1 << 14, P_HANDLER = 1 << 15, P_POST = 1 << 16,
    P_WATCHED = 1 << 30, /* a coroutine's code that has our local events */
    AT_START = P_SPAWN | P_READY | P_TIMER | P_SELECT | P_MADE | P_GIVE | P_NEVER | P_HANDLER | P_POST,
    AT_RETURN = P_SOON | P_SELECT | P_SHIELD | P_MANY,
    ROLES = P_USE | P_TAKE | P_MANY /* of coroutines */
};
static const struct { const char *name; int bit; } probe_names[] = {
    {"SPAWN", P_SPAWN}, {"GROUP", P_GROUP}, {"SOON", P_SOON}, {"READY", P_READY}, {"RUN", P_RUN}, {"SIGNAL", P_SIGNAL},
    {"TIMER", P_TIMER}, {"SELECT", P_SELECT}, {"MADE", P_MADE}, {"GIVE", P_GIVE}, {"USE", P_USE}, {"TAKE", P_TAKE},
    {"MANY", P_MANY}, {"SHIELD", P_SHIELD}, {"NEVER", P_NEVER}, {"HANDLER", P_HANDLER}, {"POST", P_POST},
    {NULL, 0},
};
enum { ST_CREATED, ST_ALIVE, ST_ITEM, ST_DEAD }; /* where a coroutine stands */
#define ASYNC_FLAGS (CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR)

typedef struct CodeInfo {
    struct CodeInfo *next, **back; /* all that live */
    PyCodeObject *code;            /* borrowed: the entry dies with it */
    uint32_t session, id;
    int probe;               /* P_* */
    uint8_t kind, ends_stack;
    uint8_t *stands;               /* an instruction each: 1 = at a SEND, 2 = at a suspended await; NULL: not looked yet */
    int stands_len;
    int last_send;                 /* the offset that was found to be a SEND last */
    uint32_t last_parent, last_node;
} CodeInfo;

typedef struct Coro {
    void *frame;
    struct Coro *next; /* in its hash bucket, or of the free ones */
    struct Coro *child, *awaiter, *root, *outer;
    Py_hash_t name_hash;
    uint32_t id, node, code; /* the code's id, not its entry: that dies with the code, we may not know when this ends */
    int off;
    int role; /* P_USE, P_TAKE, P_MANY of its code, less what was told */
    uint8_t state, is_task, is_agen;
    uint8_t bare;    /* of a root: it only yielded, and is ready at once */
    uint8_t closing; /* a close() runs it: not by way of its awaiter, to whom it doesn't return either */
} Coro;

typedef struct Thread {
    uint64_t tstate_id;
    uint32_t session;
    int index; /* -1: not defined yet */
    Coro *top, *resume, *up, *up_child, *spawned;
    void *spawner; /* the frame that was making `spawned` a task */
    uint64_t up_ts;
    PyObject *sleeper; /* the future that a timer was just set for (its address), until the next event ... */
    uint64_t due;      /* ... and for when */
    uint64_t asked;    /* when the selector was asked */
    int idle;
    void *ended; /* the frame of the task's root that ended last ... */
    uint32_t ended_id;
    uint64_t serial; /* how many polls have ended here: the watchdog looks at this, from its own thread ... */
    uint64_t watched_serial; /* ... which keeps these two */
    int looks;
    PyThreadState *ts;
    struct Thread *next; /* all there are */
} Thread;

typedef struct { uint32_t a, b, c, value; } Entry; /* value 0: free */
typedef struct { Entry *entries; uint32_t mask, used; } Map;

static struct {
    int on;       /* records; 0 also in a forked child until abandon() */
    int active;   /* between start and stop */
    int ticks;
    uint64_t tick;
    uint32_t session;
    int tool;
    int fd;
    dev_t device; /* of our file, and its path: the program may close descriptors that it doesn't know */
    ino_t inode;
    char *path;
    Header *header; /* the mapping: the header, then the tail */
    size_t header_size;
    uint64_t max_slots;
    Record *tail, *pos, *end;
    int full, throws_on;
    int spawning; /* threads whose last event made a task */
    char *stdlib;
    size_t stdlib_len;
    uint32_t coros, codes, nodes, strings, sites, threads, resources, callbacks;
    uint32_t future_string; /* the id of "_asyncio.Future", by far the most awaited */
    Coro **buckets;
    uint32_t bucket_mask, live;
    Map node_map, site_map;
    Map things; /* what is known of an object by its address, see TAG_* */
    PyCodeObject *run_code, *signal_code; /* of Handle._run, of a signal's handler; borrowed */
    int edges, shields, calls;
    uint64_t slow_ns;
    PyObject *string_ids;
} R = {.fd = -1};

static Thread *current;             /* whose event came last */
static __thread Thread *own_thread; /* of a thread; kept over sessions */
static Coro *free_coros;
static CodeInfo *all_codes;
static Py_ssize_t extra_index = -1;
static PyObject *disable, *monitoring, *probes;
static int gathers; /* a source asks for what waits for many */
static PyObject *type_module, *type_qualname;
static struct {
    PyObject *current_task, *c_task, *py_task, *future, *get_name, *cancelled, *gathering, *timer_handle, *running_loop,
        *current_tasks;
    PyTypeObject *step; /* what loops call to step a C Task; borrowed, lives with the module */
} aio;
static struct {
    /* attributes */
    PyObject *coro_attr, *must_cancel, *name_attr, *self_attr, *when_attr, *loop_attr, *time, *parent_task, *children, *callbacks, *callback_attr;
    /* local variables */
    PyObject *self, *callback, *args, *when, *handle, *timeout, *inner, *coro, *context, *fs, *todo;
    /* texts */
    PyObject *message, *task, *future, *exception, *never_retrieved, *process_events;
} word;
static Thread *all_threads;

/* ---- writing ---- */

static inline uint64_t monotonic_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* CLOCK_MONOTONIC read through the time-stamp counter costs half.  The kernel does the same in its vDSO, with checks
 * that we leave to it: we use the counter only where it is the kernel's own clock source, take our bearings anew from
 * clock_gettime at least every MAX_SPAN_NS, and never go back.  A rate is trusted as far ahead as the time it was
 * taken over, so that its error stays that of the two readings: some tens of nanoseconds. */
#if defined(__x86_64__) && defined(__linux__)
#define HAVE_COUNTER 1
#include <x86intrin.h>
enum { MIN_SPAN_NS = 50000, MAX_SPAN_NS = 20000000, MAX_COUNTS = 100000000, MAX_READING = 10000 };
static struct {
    int usable;
    uint64_t base_count, base_ns; /* the last bearing ... */
    uint64_t limit;               /* ... good for so many counts from there; 0: the rate is not known yet */
    uint64_t rate;                /* nanoseconds a count, times 2^32 */
    uint64_t then_count, then_ns; /* an older bearing, to tell the rate from */
} tsc;

static void counter_init(void)
{
    char source[16] = {0};
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource", O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n = read(fd, source, sizeof source - 1);
        close(fd);
        memset(&tsc, 0, sizeof tsc);
        tsc.usable = n >= 4 && memcmp(source, "tsc\n", 4) == 0;
    }
}

static uint64_t take_bearing(void)
{
    uint64_t count, ns, spent;
    int tries = 0;
    do { /* again if we were interrupted between the two clocks */
        count = __rdtsc();
        ns = monotonic_ns();
        spent = __rdtsc() - count;
    } while (spent > MAX_READING && ++tries < 5);
    count += spent / 2;
    uint64_t passed = count > tsc.base_count ? count - tsc.base_count : 0;
    passed = passed < tsc.limit ? passed : tsc.limit;
    uint64_t last = tsc.base_ns + (uint64_t)((unsigned __int128)passed * tsc.rate >> 32);
    if (tsc.then_ns == 0 || count <= tsc.then_count || ns <= tsc.then_ns) {
        tsc.then_count = count;
        tsc.then_ns = ns;
        tsc.limit = 0;
    }
    else if (ns - tsc.then_ns >= MIN_SPAN_NS) {
        uint64_t over = ns - tsc.then_ns, counts = count - tsc.then_count;
        uint64_t rate = (uint64_t)(((unsigned __int128)over << 32) / counts);
        uint64_t moved = rate > tsc.rate ? rate - tsc.rate : tsc.rate - rate;
        tsc.limit = over < MAX_SPAN_NS ? counts : (uint64_t)((unsigned __int128)counts * MAX_SPAN_NS / over);
        if (tsc.limit > MAX_COUNTS) {
            tsc.limit = MAX_COUNTS;
        }
        if (tsc.rate && moved > tsc.rate >> 8) { /* one clock stood while the other ran, as when a machine sleeps */
            tsc.then_ns = tsc.limit = rate = 0;
        }
        tsc.rate = rate;
        if (over >= 50ull * MAX_SPAN_NS) { /* a second is long enough to forget what was before */
            tsc.then_count = count;
            tsc.then_ns = ns;
        }
    }
    /* the old bearing can have said `last`: what comes after is not earlier */
    if (ns < last && last - ns < 1000000000u) {
        ns = last;
    }
    tsc.base_count = count;
    return tsc.base_ns = ns;
}
#endif

static inline uint64_t now(void)
{
    if (UNLIKELY(R.ticks)) {
        return ++R.tick;
    }
#ifdef HAVE_COUNTER
    if (LIKELY(tsc.usable)) {
        uint64_t passed = __rdtsc() - tsc.base_count; /* gone back: huge */
        if (LIKELY(passed < tsc.limit)) {
            return tsc.base_ns + (uint64_t)((unsigned __int128)passed * tsc.rate >> 32);
        }
        return take_bearing();
    }
#endif
    return monotonic_ns();
}

/* Whether the file may have that size: to try would be a SIGXFSZ, and what that does is the program's affair. */
static int may_grow(off_t size)
{
    struct rlimit most;
    return getrlimit(RLIMIT_FSIZE, &most) != 0 || most.rlim_cur == RLIM_INFINITY || (rlim_t)size <= most.rlim_cur;
}

static int reserve(off_t size)
{
    int error = EFBIG;
    if (may_grow(size)) {
        do {
#ifdef __APPLE__
            error = ftruncate(R.fd, size) == 0 ? 0 : errno;
#else
            error = posix_fallocate(R.fd, 0, size);
#endif
        } while (error == EINTR);
    }
    return error;
}

static int is_ours(int fd)
{
    struct stat st;
    return fd >= 0 && fstat(fd, &st) == 0 && st.st_dev == R.device && st.st_ino == R.inode;
}

/* A number that programs which count descriptors from below don't meet. */
static int high_duplicate(int fd)
{
    int high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
    return high >= 0 ? high : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

/* Our descriptor, if it still is ours: a daemon closes all it finds and may have given the number to another file. */
static int own_fd(void)
{
    if (!is_ours(R.fd)) {
        int fd = R.path != NULL ? open(R.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW) : -1;
        R.fd = is_ours(fd) ? high_duplicate(fd) : -1;
        if (fd >= 0) {
            close(fd);
        }
    }
    return R.fd;
}

static char *path_of(int fd)
{
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (n <= 0) {
        return NULL;
    }
    path[n] = 0;
    return strdup(path);
}

/* Append the tail to the body and begin it anew; the order of stores is what events.py says. */
static int flush(void)
{
    uint64_t slots = (uint64_t)(R.pos - R.tail);
    int fd;
    if (R.full || (fd = own_fd()) < 0 || R.header->flushed + slots > R.max_slots) {
        R.full = 1;
        return 0;
    }
    const char *data = (const char *)R.tail;
    size_t left = slots * sizeof(Record);
    off_t at = (off_t)(R.header_size + TAIL_SIZE + R.header->flushed * sizeof(Record));
    if (!may_grow(at + (off_t)left)) {
        R.full = 1;
        return 0;
    }
    while (left > 0) {
        ssize_t done = pwrite(fd, data, left, at);
        if (done <= 0) {
            if (done < 0 && errno == EINTR) {
                continue;
            }
            R.full = 1; /* what is in the tail stays there */
            return 0;
        }
        data += done;
        at += done;
        left -= (size_t)done;
    }
    uint64_t flushed = R.header->flushed + slots;
    __atomic_store_n(&R.header->flushed, flushed, __ATOMIC_RELEASE);
    memset(R.tail, 0, slots * sizeof(Record));
    __atomic_store_n(&R.header->tail_base, flushed, __ATOMIC_RELEASE);
    R.pos = R.tail;
    return 1;
}

static inline Record *slot(void)
{
    if (UNLIKELY(R.pos == R.end) && !flush()) {
        R.header->lost++;
        return NULL;
    }
    return R.pos++;
}

static inline void put_raw(uint64_t ts, uint32_t coro, uint32_t aux, uint32_t node, uint32_t task, uint32_t off,
                           int thread, int flags, int kind)
{
    Record *r = slot();
    if (LIKELY(r != NULL)) {
        r->ts = ts;
        r->coro = coro;
        r->aux = aux;
        r->node = node;
        r->task = task;
        r->off = off;
        r->thread = (uint16_t)thread;
        r->flags = (uint8_t)flags;
        __atomic_store_n(&r->kind, (uint8_t)kind, __ATOMIC_RELEASE); /* last: now it is there */
    }
}

static void put_definition(int kind, uint32_t id, uint32_t aux, uint32_t off, int flags, uint32_t node)
{
    put_raw(0, id, aux, node, 0, off, 0, flags, kind);
}

static void put_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i += TEXT_BYTES) {
        Record *r = slot();
        if (r != NULL) {
            size_t n = len - i < TEXT_BYTES ? len - i : TEXT_BYTES;
            memset(r, 0, TEXT_BYTES);
            memcpy(r, text + i, n);
            __atomic_store_n(&r->kind, (uint8_t)TEXT, __ATOMIC_RELEASE);
        }
    }
}

static uint32_t native_id(void)
{
#ifdef __linux__
    return (uint32_t)syscall(SYS_gettid);
#else
    return (uint32_t)PyThread_get_thread_native_id();
#endif
}

/* Write an event. `after` runs when it is over. */
static inline void put(Thread *th, int kind, uint64_t ts, uint32_t coro, uint32_t aux, Coro *after, uint32_t off,
                       int flags)
{
    if (UNLIKELY(th->index < 0)) {
        th->index = R.threads < 0xFFFF ? (int)R.threads : 0xFFFF;
        R.threads++;
        put_definition(THREAD, (uint32_t)th->index, native_id(), 0, 0, 0);
    }
    put_raw(ts, coro, aux, after ? after->node : 0, after ? after->root->id : 0, off, th->index, flags, kind);
}

/* ---- maps: three numbers to one ---- */

static inline uint32_t mix(uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t h = (((uint64_t)a << 32 | b) ^ (uint64_t)c * 0xC2B2AE3D27D4EB4Full) * 0x9E3779B97F4A7C15ull;
    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

static Entry *map_find(Map *m, uint32_t a, uint32_t b, uint32_t c)
{
    if (m->entries == NULL) {
        return NULL;
    }
    for (uint32_t i = mix(a, b, c) & m->mask;; i = (i + 1) & m->mask) {
        Entry *e = &m->entries[i];
        if (!e->value || (e->a == a && e->b == b && e->c == c)) {
            return e;
        }
    }
}

static int map_set(Map *m, uint32_t a, uint32_t b, uint32_t c, uint32_t value)
{
    if (m->entries == NULL || m->used * 2 > m->mask) {
        Map bigger = {NULL, m->entries ? m->mask * 2 + 1 : 1023, m->used};
        bigger.entries = calloc((size_t)bigger.mask + 1, sizeof(Entry));
        if (bigger.entries == NULL) {
            return 0;
        }
        for (uint32_t i = 0; m->entries && i <= m->mask; i++) {
            Entry *e = &m->entries[i];
            if (e->value) {
                *map_find(&bigger, e->a, e->b, e->c) = *e;
            }
        }
        free(m->entries);
        *m = bigger;
    }
    Entry *e = map_find(m, a, b, c);
    m->used += e->value == 0;
    *e = (Entry){a, b, c, value};
    return 1;
}

static void map_clear(Map *m)
{
    free(m->entries);
    *m = (Map){0};
}

/* What is known of an object by its address. An entry outlives its object; each kind says why that does no harm. */
enum {
    TAG_RESOURCE, /* -> resource id: a new one's __init__ is seen, and begins a new entry */
    TAG_HANDLE,   /* -> callback id, or how it came among what the loop runs: it is put there anew each time */
    TAG_POSTED,   /* a callback -> its id, as long as its handle isn't known */
    TAG_SHIELD,   /* -> 1: worth to ask the future itself */
    TAG_TASK,     /* the frame of a task's root -> its id, after its end, too: whoever asks holds the task */
    TAG_FRESH     /* a generator's frame -> 1: it has not yielded yet; its start is seen */
};
enum { HANDLE_IO = 0xFFFFFFFF, HANDLE_SIGNAL = 0xFFFFFFFE, NOTHING = 0xFFFFFFFD };

static uint32_t thing(void *address, uint32_t tag)
{
    Entry *e = map_find(&R.things, (uint32_t)(uintptr_t)address, (uint32_t)((uint64_t)(uintptr_t)address >> 32), tag);
    return e && e->value != (uint32_t)NOTHING ? e->value : 0;
}

static void set_thing(void *address, uint32_t tag, uint32_t value)
{
    if (!map_set(&R.things, (uint32_t)(uintptr_t)address, (uint32_t)((uint64_t)(uintptr_t)address >> 32), tag, value)) {
        R.header->lost++;
    }
}

/* ---- definitions ---- */

/* Entries asked for last, by address: a freed one is taken out. */
static CodeInfo *recent[64];
#define RECENT(code) ((uintptr_t)(code) >> 5 & 63)

static void free_code_info(void *p)
{
    CodeInfo *info = p;
    if (info != NULL) {
        if (recent[RECENT(info->code)] == info) {
            recent[RECENT(info->code)] = NULL;
        }
        if (info->code == R.run_code) {
            R.run_code = NULL;
        }
        if (info->code == R.signal_code) {
            R.signal_code = NULL;
        }
        *info->back = info->next;
        if (info->next) {
            info->next->back = info->back;
        }
        free(info->stands);
        free(info);
    }
}

static int has_prefix(PyObject *text, const char *prefix, size_t len)
{
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(text, &n);
    if (s == NULL) {
        PyErr_Clear();
        return 0;
    }
    return (size_t)n >= len && memcmp(s, prefix, len) == 0;
}

#define GENERATED "__create_fn__." /* see events.py */

static int ends_stack(PyCodeObject *code)
{
    if (PyUnicode_CompareWithASCIIString(code->co_qualname, "Handle._run") == 0) {
        return 1;
    }
    const char *file = PyUnicode_AsUTF8(code->co_filename);
    if (file == NULL) {
        PyErr_Clear();
        return 1;
    }
    if (has_prefix(code->co_qualname, GENERATED, sizeof GENERATED - 1)) {
        return 0;
    }
    return !(has_prefix(code->co_filename, R.stdlib, R.stdlib_len) || strncmp(file, "<frozen ", 8) == 0
             || strstr(file, "/site-packages/") || strstr(file, "/dist-packages/"));
}

/* The text as our UTF-8; never fails but for memory (then NULL, no error set). */
static PyObject *utf8(PyObject *text)
{
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (bytes == NULL) {
        PyErr_Clear();
    }
    return bytes;
}

static void define_code(CodeInfo *info, PyCodeObject *code)
{
    PyObject *file = utf8(code->co_filename), *name = utf8(code->co_qualname);
    if (file == NULL || name == NULL) {
        R.header->lost++;
    }
    else {
        Py_ssize_t f = PyBytes_GET_SIZE(file), n = PyBytes_GET_SIZE(name), l = PyBytes_GET_SIZE(code->co_linetable);
        char *text = malloc((size_t)(f + n + l + 2));
        if (text == NULL) {
            R.header->lost++;
        }
        else {
            memcpy(text, PyBytes_AS_STRING(file), (size_t)f + 1);
            memcpy(text + f + 1, PyBytes_AS_STRING(name), (size_t)n + 1);
            memcpy(text + f + n + 2, PyBytes_AS_STRING(code->co_linetable), (size_t)l);
            put_definition(CODE, info->id, (uint32_t)code->co_firstlineno, (uint32_t)(f + n + l + 2), info->kind, 0);
            put_text(text, (size_t)(f + n + l + 2));
            free(text);
        }
    }
    Py_XDECREF(file);
    Py_XDECREF(name);
}

/* The entry of a code object, if it has one in this recording. */
static inline CodeInfo *known_code(PyCodeObject *code)
{
    void *extra = NULL;
    PyUnstable_Code_GetExtra((PyObject *)code, extra_index, &extra);
    CodeInfo *info = extra;
    return info != NULL && info->session == R.session ? info : NULL;
}

static CodeInfo *new_code(PyCodeObject *code);

static inline CodeInfo *code_of(PyCodeObject *code)
{
    CodeInfo *info = recent[RECENT(code)];
    if (LIKELY(info != NULL && info->code == code && info->session == R.session)) {
        return info;
    }
    info = known_code(code);
    if (info == NULL) {
        info = new_code(code);
    }
    return recent[RECENT(code)] = info;
}

static CodeInfo *new_code(PyCodeObject *code)
{
    CodeInfo *info;
    void *extra = NULL;
    PyUnstable_Code_GetExtra((PyObject *)code, extra_index, &extra);
    info = extra;
    if (info == NULL) {
        info = calloc(1, sizeof *info);
        if (info == NULL) {
            return NULL;
        }
        info->code = code;
        info->next = all_codes;
        info->back = &all_codes;
        if (all_codes) {
            all_codes->back = &info->next;
        }
        all_codes = info;
        if (PyUnstable_Code_SetExtra((PyObject *)code, extra_index, info) != 0) {
            PyErr_Clear();
            free_code_info(info);
            return NULL;
        }
    }
    info->session = R.session;
    info->id = ++R.codes;
    info->probe = 0;
    info->last_send = -1;
    info->last_node = 0;
    info->ends_stack = (uint8_t)ends_stack(code);
    int flags = code->co_flags;
    info->kind = flags & CO_COROUTINE         ? CODE_COROUTINE
               : flags & CO_ASYNC_GENERATOR   ? CODE_ASYNC_GENERATOR
               : flags & CO_ITERABLE_COROUTINE ? CODE_GENERATOR_BASED
                                              : CODE_PLAIN;
    define_code(info, code);
    return info;
}

static uint32_t node_of(uint32_t parent, CodeInfo *info)
{
    if (LIKELY(info->last_node && info->last_parent == parent)) {
        return info->last_node;
    }
    if (parent == OTHER_NODE) {
        return parent;
    }
    Entry *e = map_find(&R.node_map, parent, info->id, 0);
    uint32_t node = e ? e->value : 0;
    if (!node) {
        if (R.nodes >= MAX_NODES || !map_set(&R.node_map, parent, info->id, 0, R.nodes + 1)) {
            return OTHER_NODE;
        }
        node = ++R.nodes;
        put_definition(NODE, node, parent, info->id, 0, 0);
    }
    info->last_parent = parent;
    info->last_node = node;
    return node;
}

/* The id of a text (a new reference, consumed; NULL: 0). */
static uint32_t string_of(PyObject *text)
{
    uint32_t id = 0;
    if (text == NULL) {
        PyErr_Clear();
        return 0;
    }
    PyObject *known = PyDict_GetItemWithError(R.string_ids, text);
    if (known != NULL) {
        id = (uint32_t)PyLong_AsUnsignedLong(known);
    }
    else {
        PyObject *data = utf8(text), *number = PyLong_FromUnsignedLong(R.strings + 1);
        if (data != NULL && number != NULL && PyDict_SetItem(R.string_ids, text, number) == 0) {
            id = ++R.strings;
            put_definition(STRING, id, 0, (uint32_t)PyBytes_GET_SIZE(data), 0, 0);
            put_text(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
        }
        Py_XDECREF(data);
        Py_XDECREF(number);
    }
    PyErr_Clear();
    Py_DECREF(text);
    return id;
}

static PyObject *describe(PyObject *descriptor, PyTypeObject *cls)
{
    PyObject *value = Py_TYPE(descriptor)->tp_descr_get(descriptor, (PyObject *)cls, (PyObject *)&PyType_Type);
    if (value == NULL) {
        PyErr_Clear();
    }
    return value;
}

static PyObject *type_name(PyTypeObject *cls)
{
    /* through type's own descriptors: a metaclass of the program has no say */
    PyObject *module = describe(type_module, cls), *name = describe(type_qualname, cls), *text;
    if (name == NULL) {
        text = NULL;
    }
    else if (module == NULL || !PyUnicode_CheckExact(module)
             || PyUnicode_CompareWithASCIIString(module, "builtins") == 0) {
        text = Py_NewRef(name);
    }
    else {
        text = PyUnicode_FromFormat("%U.%U", module, name);
    }
    Py_XDECREF(module);
    Py_XDECREF(name);
    return text;
}

static uint32_t type_of(PyTypeObject *cls)
{
    return string_of(type_name(cls));
}

/* ---- FRAMES: what differs between versions ---- */

typedef _PyInterpreterFrame Frame;

static inline Frame *current_frame(PyThreadState *ts)
{
#if PY_VERSION_HEX < 0x030D0000
    return ts->cframe->current_frame;
#else
    return ts->current_frame;
#endif
}

static inline PyThreadState *tstate(void)
{
#if PY_VERSION_HEX < 0x030D0000
    return _PyThreadState_UncheckedGet();
#else
    return PyThreadState_GetUnchecked();
#endif
}

static inline PyCodeObject *frame_code(Frame *f)
{
#if PY_VERSION_HEX < 0x030D0000
    return f->f_code;
#elif PY_VERSION_HEX < 0x030E0000
    return (PyCodeObject *)f->f_executable;
#else
    return (PyCodeObject *)PyStackRef_AsPyObjectBorrow(f->f_executable);
#endif
}

static inline int frame_lasti(Frame *f, PyCodeObject *code)
{
#if PY_VERSION_HEX < 0x030D0000
    return (int)(f->prev_instr - _PyCode_CODE(code)) * 2;
#else
    return (int)(f->instr_ptr - _PyCode_CODE(code)) * 2;
#endif
}

/* From a frame outward to the next of Python code: those of the interpreter itself are passed over. */
static inline Frame *python_frame(Frame *f)
{
    while (f != NULL && UNLIKELY(f->owner >= 3 || _PyFrame_IsIncomplete(f))) { /* 3: FRAME_OWNED_BY_CSTACK */
        f = f->previous;
    }
    return f;
}

static inline Frame *below(Frame *f)
{
    return python_frame(f->previous);
}

/* The frame of a coroutine object, or NULL if that is no plain coroutine. */
static inline Frame *coroutine_frame(PyObject *made)
{
    if (made == NULL || !PyCoro_CheckExact(made)) {
        return NULL;
    }
#if PY_VERSION_HEX < 0x030E0000
    return (Frame *)((PyCoroObject *)made)->cr_iframe;
#else
    return &((struct _PyCoroObject *)made)->cr_iframe;
#endif
}

/* A local variable of a frame, through its cell if it has one: borrowed, or NULL. */
static PyObject *local_of(Frame *f, PyCodeObject *code, PyObject *name)
{
    PyObject *names = code->co_localsplusnames;
    for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(names); i < n; i++) {
        if (PyTuple_GET_ITEM(names, i) == name) { /* both are interned */
#if PY_VERSION_HEX < 0x030E0000
            PyObject *value = f->localsplus[i];
#else
            PyObject *value = PyStackRef_IsNull(f->localsplus[i]) ? NULL : PyStackRef_AsPyObjectBorrow(f->localsplus[i]);
#endif
            int kind = PyBytes_AS_STRING(code->co_localspluskinds)[i];
            if (value != NULL && kind & (CO_FAST_CELL | CO_FAST_FREE) && PyCell_Check(value)) {
                value = ((PyCellObject *)value)->ob_ref;
            }
            return value;
        }
    }
    return NULL;
}

static int pick_agen(PyObject *o, void *found)
{
    if (PyAsyncGen_CheckExact(o)) {
        *(PyObject **)found = o; /* borrowed */
        return 1;
    }
    return 0;
}

/* The frame of the async generator that an aclose(), athrow() or asend() object is about, or NULL. */
static Frame *agen_frame(PyObject *made)
{
    PyObject *found = NULL;
    if (made != NULL && strncmp(Py_TYPE(made)->tp_name, "async_generator_a", 17) == 0 && Py_TYPE(made)->tp_traverse) {
        Py_TYPE(made)->tp_traverse(made, pick_agen, &found);
    }
    if (found == NULL) {
        return NULL;
    }
#if PY_VERSION_HEX < 0x030E0000
    return (Frame *)((PyAsyncGenObject *)found)->ag_iframe;
#else
    return &((struct _PyAsyncGenObject *)found)->ag_iframe;
#endif
}

static inline int coroutine_is_new(PyObject *made)
{
#if PY_VERSION_HEX < 0x030E0000
    return ((PyCoroObject *)made)->cr_frame_state == FRAME_CREATED;
#else
    return ((struct _PyCoroObject *)made)->cr_frame_state == FRAME_CREATED;
#endif
}

static int look_at_code(CodeInfo *info, PyCodeObject *code)
{
    PyObject *bytes = PyCode_GetCode(code);
    if (bytes == NULL) {
        PyErr_Clear();
        return 0;
    }
    const unsigned char *ops = (const unsigned char *)PyBytes_AS_STRING(bytes);
    int n = (int)(PyBytes_GET_SIZE(bytes) / 2);
    info->stands = calloc((size_t)n + 1, 1);
    if (info->stands != NULL) {
        info->stands_len = n;
        for (int i = 0; i < n; i++) {
            int op = ops[2 * i], next = i + 1 < n ? ops[2 * i + 2] : -1;
            if (op == SEND) {
                info->stands[i] |= 1;
                if (next == CACHE) {
                    info->stands[i + 1] |= 1; /* where 3.12 says it stands */
                }
            }
            if (op == YIELD_VALUE) {
                info->stands[i] |= 2;
                if (next == RESUME) {
                    info->stands[i + 1] |= 2;
                }
            }
        }
    }
    Py_DECREF(bytes);
    return info->stands != NULL;
}

/* Whether a frame awaits: at a SEND, or, where an exception is thrown through it, at a suspended await. */
static inline int stands(CodeInfo *info, PyCodeObject *code, int lasti, int how)
{
    if (LIKELY(lasti == info->last_send)) {
        return 1;
    }
    if (info->stands == NULL && !look_at_code(info, code)) {
        return 0;
    }
    int i = lasti / 2;
    int at = lasti >= 0 && i < info->stands_len ? info->stands[i] : 0;
    if (at & 1) {
        info->last_send = lasti;
    }
    return at & how;
}

/* ---- coroutines ---- */

static inline Thread *this_thread(PyThreadState *ts)
{
    Thread *th = current;
    if (LIKELY(th != NULL && th->tstate_id == ts->id && th->session == R.session)) {
        return th;
    }
    th = own_thread;
    if (th == NULL) {
        th = own_thread = calloc(1, sizeof *th); /* small, and one a thread: left to the thread's end and beyond */
        if (th == NULL) {
            return NULL;
        }
        th->next = all_threads;
        __atomic_store_n(&all_threads, th, __ATOMIC_RELEASE);
    }
    if (th->tstate_id != ts->id || th->session != R.session) {
        *th = (Thread){.tstate_id = ts->id, .session = R.session, .index = -1, .ts = ts, .next = th->next};
    }
    return current = th;
}

static inline uint32_t bucket(void *frame)
{
    return (uint32_t)(((uint64_t)(uintptr_t)frame >> 4) * 0x9E3779B97F4A7C15ull >> 40) & R.bucket_mask;
}

static inline Coro *find(void *frame)
{
    Coro *c = R.buckets[bucket(frame)];
    while (c != NULL && c->frame != frame) {
        c = c->next;
    }
    return c;
}

static void grow(void)
{
    uint32_t size = (R.bucket_mask + 1) * 2, old = R.bucket_mask;
    if (size > 1u << 24) {
        return;
    }
    Coro **bigger = calloc(size, sizeof *bigger), **was = R.buckets;
    if (bigger == NULL) {
        return;
    }
    R.buckets = bigger;
    R.bucket_mask = size - 1;
    for (uint32_t i = 0; i <= old; i++) {
        for (Coro *c = was[i], *next; c != NULL; c = next) {
            next = c->next;
            uint32_t b = bucket(c->frame);
            c->next = bigger[b];
            bigger[b] = c;
        }
    }
    free(was);
}

static Coro *new_coro(void *frame, CodeInfo *info)
{
    if (UNLIKELY(free_coros == NULL)) {
        Coro *slab = calloc(256, sizeof *slab); /* never given back: a stale pointer stays readable */
        if (slab == NULL) {
            R.header->lost++;
            return NULL;
        }
        for (int i = 0; i < 256; i++) {
            slab[i].next = free_coros;
            free_coros = &slab[i];
        }
    }
    Coro *c = free_coros;
    free_coros = c->next;
    c->frame = frame;
    c->child = c->awaiter = c->outer = NULL;
    c->root = c;
    c->name_hash = 0;
    c->id = ++R.coros;
    c->node = 0;
    c->code = info->id;
    c->off = -1;
    c->state = ST_ALIVE;
    c->is_task = c->closing = c->bare = 0;
    c->role = 0;
    c->is_agen = info->kind == CODE_ASYNC_GENERATOR;
    if (UNLIKELY(++R.live > R.bucket_mask)) {
        grow();
    }
    uint32_t b = bucket(frame);
    c->next = R.buckets[b];
    R.buckets[b] = c;
    return c;
}

static void drop(Coro *c)
{
    Coro **p = &R.buckets[bucket(c->frame)];
    while (*p != NULL && *p != c) {
        p = &(*p)->next;
    }
    if (*p == NULL) {
        return;
    }
    *p = c->next;
    R.live--;
    c->state = ST_DEAD;
    if (c->awaiter && c->awaiter->child == c) {
        c->awaiter->child = NULL;
    }
    if (c->child && c->child->awaiter == c) {
        c->child->awaiter = NULL;
    }
    c->child = NULL;
    c->next = free_coros;
    free_coros = c;
}

/* `c` has ended and no event said so. */
static void vanish(Thread *th, Coro *c, int flags)
{
    put(th, VANISH, now(), c->id, 0, th->top, 0, flags);
    drop(c);
}

static void vanish_below(Thread *th, Coro *c)
{
    while (c->child != NULL) {
        Coro *leaf = c->child;
        while (leaf->child != NULL) {
            leaf = leaf->child;
        }
        Coro *above = leaf->awaiter;
        vanish(th, leaf, 0);
        if (above == NULL) { /* not linked back: nothing above it points down any more */
            break;
        }
    }
    c->child = NULL;
}

/* ---- tasks: what the program's objects are asked, without running its code ---- */

static PyObject *module_attr(const char *module, const char *name)
{
    /* past PyImport_GetModule(), which waits for whoever imports it just now and lets others run meanwhile */
    PyObject *modules = PySys_GetObject("modules"), *value = NULL;
    PyObject *found = modules && PyDict_CheckExact(modules) ? PyDict_GetItemString(modules, module) : NULL;
    if (found != NULL && PyModule_CheckExact(found)) {
        value = Py_XNewRef(PyDict_GetItemString(PyModule_GetDict(found), name));
    }
    return value;
}

/* asyncio's parts are looked for until the program has imported them, and kept while we record. */
static int know_asyncio(void)
{
    if (UNLIKELY(aio.get_name == NULL)) {
        Py_XSETREF(aio.current_task, module_attr("_asyncio", "current_task"));
        Py_XSETREF(aio.c_task, module_attr("_asyncio", "Task"));
        Py_XSETREF(aio.future, module_attr("_asyncio", "Future"));
        Py_XSETREF(aio.running_loop, module_attr("_asyncio", "_get_running_loop"));
        Py_XSETREF(aio.current_tasks, module_attr("asyncio.tasks", "_current_tasks")); /* of Python's Tasks, from 3.14 on */
        if (aio.c_task == NULL || aio.current_task == NULL || aio.future == NULL || !PyType_Check(aio.c_task)
            || aio.running_loop == NULL || aio.current_tasks == NULL) {
            return 0;
        }
        aio.get_name = PyObject_GetAttrString(aio.c_task, "get_name");
        PyErr_Clear();
    }
    return aio.get_name != NULL;
}

static PyObject *get(PyObject *task, PyObject *name)
{
    PyObject *value = PyObject_GenericGetAttr(task, name);
    if (value == NULL) {
        PyErr_Clear();
    }
    return value;
}

/* A new reference, or NULL: no loop runs a task on this thread. */
static PyObject *current_task(void)
{
    if (!know_asyncio()) {
        return NULL;
    }
    PyObject *task = PyObject_CallNoArgs(aio.current_task);
    if (task == Py_None) {
        Py_CLEAR(task);
        if (UNLIKELY(PyDict_CheckExact(aio.current_tasks) && PyDict_GET_SIZE(aio.current_tasks))) {
            PyObject *loop = PyObject_CallNoArgs(aio.running_loop);
            task = loop ? Py_XNewRef(PyDict_GetItem(aio.current_tasks, loop)) : NULL;
            Py_XDECREF(loop);
        }
    }
    PyErr_Clear();
    return task;
}

/* The running task if `c` is its root (a new reference), else NULL. */
static PyObject *step_of(Thread *th, Coro *c)
{
    PyObject *task = current_task();
    if (task != NULL) {
        PyObject *made = get(task, word.coro_attr);
        int its = made != NULL && PyCoro_CheckExact(made)
                      ? (void *)coroutine_frame(made) == c->frame
                      : c->outer == NULL && (th->top == NULL || th->top == c); /* around a generator's aclose() */
        Py_XDECREF(made);
        if (!its) {
            Py_CLEAR(task);
        }
    }
    return task;
}

static int is_step_of(Thread *th, Coro *c)
{
    PyObject *task = step_of(th, c);
    Py_XDECREF(task);
    return task != NULL;
}

static int is_task(PyTypeObject *cls)
{
    if (know_asyncio() && PyType_IsSubtype(cls, (PyTypeObject *)aio.c_task)) {
        return 1;
    }
    if (aio.py_task == NULL) {
        if (aio.get_name == NULL) {
            return 0;
        }
        aio.py_task = module_attr("asyncio.tasks", "_PyTask");
    }
    return aio.py_task != NULL && PyType_Check(aio.py_task) && PyType_IsSubtype(cls, (PyTypeObject *)aio.py_task);
}

static PyObject *task_name(PyObject *task)
{
    PyObject *name;
    if (PyType_IsSubtype(Py_TYPE(task), (PyTypeObject *)aio.c_task)) {
        name = PyObject_CallOneArg(aio.get_name, task);
        if (name == NULL) {
            PyErr_Clear();
        }
    }
    else {
        name = get(task, word.name_attr);
    }
    if (name != NULL && !PyUnicode_CheckExact(name)) {
        Py_CLEAR(name);
    }
    return name;
}

static int is_made_up(PyObject *name)
{
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(name, &n);
    if (s == NULL) {
        PyErr_Clear();
        return 0;
    }
    if (n < 6 || memcmp(s, "Task-", 5) != 0) {
        return 0;
    }
    for (Py_ssize_t i = 5; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return 0;
        }
    }
    return 1;
}

static Py_hash_t name_hash(PyObject *name)
{
    return PyObject_Hash(name);
}

/* The task's name at its end, if the program gave it and it was not written yet. */
static PyObject *last_name(Coro *c, PyObject *task)
{
    PyObject *name = task_name(task);
    if (name != NULL && (name_hash(name) == c->name_hash || is_made_up(name))) {
        /* asyncio's own; an eager task ends its first step before create_task names it */
        Py_CLEAR(name);
    }
    return name;
}

static void put_name(Thread *th, Coro *c, PyObject *name, uint64_t ts, Coro *after)
{
    PyObject *data = utf8(name);
    c->name_hash = name_hash(name);
    if (data != NULL) {
        put(th, NAME, ts, c->id, 0, after, (uint32_t)PyBytes_GET_SIZE(data), 0);
        put_text(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
        Py_DECREF(data);
    }
}

static int is_plain(PyObject *value)
{
    return value == NULL || value == Py_None || PyUnicode_CheckExact(value) || PyLong_CheckExact(value);
}

/* What `exc` says, if saying it runs no code of the program. */
static PyObject *message_of(PyObject *exc)
{
    reprfunc str = Py_TYPE(exc)->tp_str;
    if (str != ((PyTypeObject *)PyExc_BaseException)->tp_str && str != ((PyTypeObject *)PyExc_OSError)->tp_str
        && str != ((PyTypeObject *)PyExc_KeyError)->tp_str) {
        return NULL;
    }
    PyObject *args = ((PyBaseExceptionObject *)exc)->args;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); i++) {
        if (!is_plain(PyTuple_GET_ITEM(args, i))) {
            return NULL;
        }
    }
    if (PyType_IsSubtype(Py_TYPE(exc), (PyTypeObject *)PyExc_OSError)) {
        PyOSErrorObject *e = (PyOSErrorObject *)exc;
        if (!is_plain(e->myerrno) || !is_plain(e->strerror) || !is_plain(e->filename) || !is_plain(e->filename2)) {
            return NULL;
        }
    }
    PyObject *text = str(exc), *cut = NULL;
    if (text != NULL) {
        cut = PyUnicode_Substring(text, 0, MAX_MESSAGE);
        Py_DECREF(text);
    }
    PyErr_Clear();
    return cut;
}

static int outcome(Coro *c, PyObject *task, PyObject *exc)
{
    if (c->is_task) {
        if (task == NULL) {
            return CLOSED;
        }
        if (exc == NULL) {
            PyObject *must = get(task, word.must_cancel);
            Py_XDECREF(must);
            return must == Py_True ? CANCELLED : 0;
        }
    }
    else if (exc != NULL && Py_TYPE(exc) == (PyTypeObject *)PyExc_GeneratorExit) {
        return CLOSED;
    }
    if (exc != NULL) {
        if (aio.cancelled == NULL) {
            aio.cancelled = module_attr("asyncio.exceptions", "CancelledError");
        }
        if (aio.cancelled != NULL && PyType_Check(aio.cancelled)
            && PyType_IsSubtype(Py_TYPE(exc), (PyTypeObject *)aio.cancelled)) {
            return CANCELLED;
        }
    }
    return 0;
}

/* ---- frames to coroutines ---- */

static Coro *open_coro(Thread *th, Frame *f, int flags, int thrown);

/* The coroutine that awaits the one that runs in `f`, if one does: plain generators are looked through. */
static inline Coro *awaiter_of(Thread *th, Frame *f, int thrown)
{
    for (Frame *g = below(f); g != NULL; g = below(g)) {
        PyCodeObject *code = frame_code(g);
        if (!(code->co_flags & (ASYNC_FLAGS | CO_GENERATOR))) {
            return NULL;
        }
        Coro *top = th->top;
        int is_top = top != NULL && top->frame == g;
        CodeInfo *info = code_of(code);
        int lasti = frame_lasti(g, code);
        if (info == NULL || (!stands(info, code, lasti, 1) && !(thrown && stands(info, code, lasti, 2)))) {
            return NULL;
        }
        if (code->co_flags & ASYNC_FLAGS) {
            if (is_top) {
                return top;
            }
            Coro *c = find(g);
            return c != NULL ? c : open_coro(th, g, 0, thrown);
        }
    }
    return NULL;
}

/* `c` begins to run; write its START. */
static inline void begin(Thread *th, Coro *c, CodeInfo *info, Coro *awaiter, int flags)
{
    if (LIKELY(awaiter != NULL)) {
        c->awaiter = awaiter;
        c->root = awaiter->root;
        c->node = node_of(awaiter->node, info);
        c->is_task = 0;
    }
    else {
        c->is_task = c->is_task || is_step_of(th, c);
        c->outer = th->top;
        c->node = node_of(0, info);
        if (c->is_task) {
            flags |= IS_TASK;
            set_thing(c->frame, TAG_TASK, c->id);
        }
    }
    c->state = ST_ALIVE;
    c->role = info->probe & ROLES;
    put(th, START, now(), c->id, awaiter ? awaiter->id : 0, c, c->code, flags);
    th->top = c;
}

/* What ran until now goes on when `root` stops; not one of its own, which then stopped unseen. */
static inline void enter_root(Thread *th, Coro *root)
{
    if (LIKELY(th->top == NULL || th->top->root != root)) {
        root->outer = th->top;
    }
}

/* A frame is met in mid-life: it was there before the recording, or an exception is the first it sees. */
static Coro *open_coro(Thread *th, Frame *f, int flags, int thrown)
{
    PyCodeObject *code = frame_code(f);
    CodeInfo *info = code_of(code);
    if (info == NULL) {
        R.header->lost++;
        return NULL;
    }
    if (!thrown || stands(info, code, frame_lasti(f, code), 2)) {
        flags |= BEFORE;
    }
    Coro *awaiter = awaiter_of(th, f, thrown);
    Coro *c = find(f);
    if (c == NULL) {
        c = new_coro(f, info);
    }
    if (c != NULL) {
        begin(th, c, info, awaiter, flags);
    }
    return c;
}

/* `c` is entered again, by another awaiter or at another await than it stood in: write an ENTER. */
static void enter(Thread *th, Coro *c, Frame *f, Coro *awaiter, int flags)
{
    if (awaiter == NULL) {
        enter_root(th, c);
        if (is_step_of(th, c)) {
            c->is_task = 1;
            flags |= IS_TASK;
        }
    }
    CodeInfo *info = c->is_agen ? code_of(frame_code(f)) : NULL;
    if (info != NULL) {
        c->node = node_of(awaiter ? awaiter->node : 0, info);
    }
    if (c->awaiter && c->awaiter != awaiter && c->awaiter->child == c) {
        c->awaiter->child = NULL;
    }
    c->awaiter = awaiter;
    c->state = ST_ALIVE;
    c->closing = 0;
    Coro *leaf = c, *root = awaiter ? awaiter->root : c;
    for (;;) {
        leaf->root = root;
        if (leaf->child == NULL) {
            break;
        }
        leaf = leaf->child;
    }
    put(th, ENTER, now(), c->id, awaiter ? awaiter->id : 0, leaf, 0, flags);
    th->resume = c->child;
    th->top = leaf;
}

/* What ran has stopped; `after` goes on. */
static inline void stop_at(Thread *th, Coro *after)
{
    th->top = after;
    if (after == NULL) {
        th->serial++;
    }
}

static inline void finish(Thread *th, Coro *c, int kind, int off, PyObject *exc)
{
    int flags = 0;
    uint32_t aux = 0;
    PyObject *message = NULL, *name = NULL;
    Coro *after = c->closing ? c->root->outer : c->awaiter;
    if (c->awaiter == NULL) {
        PyObject *task = c->is_task ? step_of(th, c) : NULL;
        flags = outcome(c, task, exc);
        if (exc != NULL) {
            message = message_of(exc);
        }
        if (task != NULL) {
            name = last_name(c, task);
            Py_DECREF(task);
            th->ended = c->frame;
            th->ended_id = c->id;
        }
        after = c->outer;
    }
    if (exc != NULL) {
        aux = type_of(Py_TYPE(exc));
    }
    if (UNLIKELY(c->child != NULL)) {
        vanish_below(th, c);
    }
    uint64_t ts = now();
    if (name != NULL) {
        put_name(th, c, name, ts, c);
        Py_DECREF(name);
    }
    put(th, kind, ts, c->id, aux, after, (uint32_t)off, flags);
    if (message != NULL) {
        PyObject *data = PyUnicode_GET_LENGTH(message) ? utf8(message) : NULL;
        if (data != NULL) {
            put(th, MESSAGE, ts, c->id, 0, after, (uint32_t)PyBytes_GET_SIZE(data), 0);
            put_text(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
            Py_DECREF(data);
        }
        Py_DECREF(message);
    }
    drop(c);
    stop_at(th, after);
}

static inline void forget_spawned(Thread *th)
{
    if (UNLIKELY(th->spawned != NULL)) {
        th->spawned = NULL;
        R.spawning--;
    }
}

/* Whatever burst went on is over: something else happens now. */
static inline void settle(Thread *th)
{
    if (UNLIKELY(th->resume != NULL)) {
        th->top = th->resume->awaiter; /* the burst stopped short of its leaf */
        th->resume = NULL;
    }
    th->up = th->up_child = NULL;
    th->sleeper = NULL;
    forget_spawned(th);
}

/* The coroutine of the frame that an event is about, and that runs. */
static inline Coro *running(Thread *th, Frame *f)
{
    Coro *top = th->top;
    if (LIKELY(top != NULL && top->frame == f)) {
        return top;
    }
    Coro *c = find(f);
    if (c == NULL || c->state == ST_CREATED) {
        return open_coro(th, f, 0, 0);
    }
    c->child = NULL; /* it runs itself: whatever it awaited let go of it unseen */
    enter(th, c, f, awaiter_of(th, f, 0), 0);
    return c;
}

/* ---- sys.monitoring ---- */

enum { B_START, B_RESUME, B_YIELD, B_RETURN, B_UNWIND, B_THROW, B_CALL, EVENTS };
static long event_bits[EVENTS]; /* as sys.monitoring has them */
#define LOCAL_THROW (PY_VERSION_HEX >= 0x030F0000) /* before, these two can only be set for all code */
#define THROW_BITS (event_bits[B_UNWIND] | event_bits[B_THROW])
/* set for all code, to meet each once: plain code then says DISABLE; what began before the recording is met resumed */
#define MEET_BITS (event_bits[B_START] | event_bits[B_RESUME] | (LOCAL_THROW ? event_bits[B_THROW] : 0))

static void set_events(long bits)
{
    PyObject *r = PyObject_CallMethod(monitoring, "set_events", "il", R.tool, bits);
    if (r == NULL) {
        PyErr_Clear();
    }
    Py_XDECREF(r);
}

static void set_local_events(PyCodeObject *code, long bits)
{
    PyObject *r = PyObject_CallMethod(monitoring, "set_local_events", "iOl", R.tool, (PyObject *)code, bits);
    if (r == NULL) {
        PyErr_Clear();
    }
    Py_XDECREF(r);
}

static void watch_throws(void)
{
    /* not before there is a coroutine: these tax every exception of synchronous code */
    if (!R.throws_on && !LOCAL_THROW) {
        R.throws_on = 1;
        set_events(MEET_BITS | THROW_BITS);
    }
}

static void start_watchdog(void);

/* What a source wants to know of this function: P_*, by its name and file. */
static int wanted_of(PyCodeObject *code)
{
    PyObject *wanted = PyDict_GetItemWithError(probes, code->co_qualname);
    if (wanted == NULL || PyUnicode_Tailmatch(code->co_filename, PyTuple_GET_ITEM(wanted, 0), 0, PY_SSIZE_T_MAX, 1) != 1) {
        PyErr_Clear();
        return 0;
    }
    return (int)PyLong_AsLong(PyTuple_GET_ITEM(wanted, 1));
}

static inline CodeInfo *watch(PyCodeObject *code)
{
    CodeInfo *info = code_of(code);
    if (UNLIKELY(info != NULL && !info->probe)) {
        info->probe = P_WATCHED | (wanted_of(code) & ROLES);
        set_local_events(code, event_bits[B_RESUME] | event_bits[B_YIELD] | event_bits[B_RETURN]
                                   | (R.calls ? event_bits[B_CALL] : 0) | (LOCAL_THROW ? THROW_BITS : 0));
        watch_throws();
        start_watchdog(); /* not before there is a coroutine, and anew after a fork */
    }
    return info;
}

/* The stack from a frame outward: as far as the program's own code, or `whole`, as far as the loop. */
static uint32_t site_of(Frame *f, int whole)
{
    uint32_t site = 0;
    for (int i = 0; i < MAX_SITE_FRAMES && f != NULL; i++, f = below(f)) {
        PyCodeObject *code = frame_code(f);
        CodeInfo *info = code_of(code);
        if (info == NULL) {
            break;
        }
        int lasti = frame_lasti(f, code);
        Entry *e = map_find(&R.site_map, site, info->id, (uint32_t)lasti);
        uint32_t inner = site;
        site = e ? e->value : 0;
        if (!site) {
            if (!map_set(&R.site_map, inner, info->id, (uint32_t)lasti, R.sites + 1)) {
                return inner;
            }
            site = ++R.sites;
            put_definition(SITE, site, inner, (uint32_t)lasti, 0, info->id);
        }
        if (whole ? code == R.run_code : info->ends_stack) {
            break;
        }
    }
    return site;
}

static PyObject *frame_var(PyFrameObject *frame, const char *name)
{
    PyObject *value = PyFrame_GetVarString(frame, name);
    if (value == NULL) {
        PyErr_Clear();
    }
    return value;
}

static Coro *find_started(Frame *f)
{
    Coro *c = f ? find(f) : NULL;
    return c != NULL && c->state != ST_CREATED ? c : NULL;
}

/* A function whose argument `coro` is being made a task was called. */
static void spawn(Thread *th, Frame *f)
{
    PyFrameObject *frame = PyThreadState_GetFrame(PyThreadState_Get());
    if (frame == NULL) {
        return;
    }
    PyObject *made = frame_var(frame, "coro"), *name = NULL;
    void *key = coroutine_frame(made);
    /* an aclose() is being made a task: its generator will be the root */
    Coro *agen = key ? NULL : find_started(agen_frame(made));
    Coro *known = key ? find(key) : agen;
    if (known != NULL && known == th->spawned && below(f) == th->spawner) {
        goto done; /* one call of create_task inside another */
    }
    forget_spawned(th);
    if (key ? !coroutine_is_new(made) : agen == NULL) {
        goto done;
    }
    if (known != NULL && agen == NULL) {
        vanish(th, known, 0);
    }
    name = frame_var(frame, "name");
    if (name == NULL || name == Py_None) {
        PyObject *more = frame_var(frame, "kwargs");
        if (more != NULL && PyDict_CheckExact(more)) {
            PyObject *given = PyDict_GetItemString(more, "name");
            Py_XSETREF(name, Py_XNewRef(given));
        }
        Py_XDECREF(more);
    }
    if (name == Py_None) {
        Py_CLEAR(name);
    }
    CodeInfo *info = agen ? NULL : code_of(frame_code((Frame *)key));
    Coro *c = agen ? agen : info ? new_coro(key, info) : NULL;
    if (c != NULL) {
        if (agen == NULL) {
            c->state = ST_CREATED;
            c->is_task = 1;
            set_thing(key, TAG_TASK, c->id);
        }
        uint32_t site = site_of(below(f), 0);
        uint64_t ts = now();
        put(th, SPAWN, ts, c->id, c->code, th->top, site, name ? NAME_GIVEN : 0);
        if (name != NULL && PyUnicode_CheckExact(name)) {
            put_name(th, c, name, ts, th->top);
        }
        R.spawning++;
        th->spawned = c;
        th->spawner = f;
    }
done:
    Py_XDECREF(made);
    Py_XDECREF(name);
    Py_DECREF(frame);
}

/* ---- above coroutines: who wakes whom, who holds what (the twin: _pyprobes.py) ---- */

/* The coroutine of a Task, as far as it is known and has not ended. */
static Coro *coro_of_task(PyObject *task, void **frame)
{
    PyObject *made = get(task, word.coro_attr);
    void *key = coroutine_frame(made);
    if (key == NULL) {
        key = agen_frame(made);
    }
    Py_XDECREF(made);
    if (frame != NULL) {
        *frame = key;
    }
    return key ? find(key) : NULL;
}

/* The Task of which a loop's callback is a step (a new reference), or NULL. */
static PyObject *stepped_task(PyObject *callback)
{
    PyTypeObject *cls = Py_TYPE(callback);
    if (cls == &PyCFunction_Type) { /* a C Task's wake-up */
        PyObject *task = PyCFunction_GET_SELF(callback);
        return task != NULL && strcmp(((PyCFunctionObject *)callback)->m_ml->ml_name, "task_wakeup") == 0 ? Py_NewRef(task) : NULL;
    }
    if (cls == &PyMethod_Type) { /* a Python Task's step or wake-up */
        PyObject *function = PyMethod_GET_FUNCTION(callback), *task = PyMethod_GET_SELF(callback);
        if (PyFunction_Check(function)) {
            PyObject *name = ((PyCodeObject *)PyFunction_GET_CODE(function))->co_name;
            if ((PyUnicode_CompareWithASCIIString(name, "__step") == 0 || PyUnicode_CompareWithASCIIString(name, "__wakeup") == 0)
                && is_task(Py_TYPE(task))) {
                return Py_NewRef(task);
            }
        }
        return NULL;
    }
    if (cls != aio.step) {
        if (strcmp(cls->tp_name, "_asyncio.TaskStepMethWrapper") != 0) {
            return NULL;
        }
        aio.step = cls;
    }
    PyObject *task = get(callback, word.self_attr);
    if (task == Py_None) {
        Py_CLEAR(task);
    }
    return task;
}

static int is_function(PyObject *value, const char *qualname)
{
    return value != NULL && PyFunction_Check(value)
           && PyUnicode_CompareWithASCIIString(((PyCodeObject *)PyFunction_GET_CODE(value))->co_qualname, qualname) == 0;
}

/* A loop's time as our clock's, if it tells the same time; else 0. */
static uint64_t moment_of(PyObject *loop, PyObject *when)
{
    uint64_t ns = 0;
    PyObject *clock = loop != NULL && when != NULL && PyFloat_CheckExact(when) && !R.ticks ? get(loop, word.time) : NULL;
    if (clock != NULL && PyMethod_Check(clock) && is_function(PyMethod_GET_FUNCTION(clock), "BaseEventLoop.time")) {
        double seconds = PyFloat_AS_DOUBLE(when);
        ns = seconds > 0 && seconds < 1e10 ? (uint64_t)(seconds * 1e9) : 0;
    }
    Py_XDECREF(clock);
    return ns;
}

/* By the step of a task whose coroutine runs no more. */
static int by_step(Thread *th, PyObject *task, uint32_t *aux)
{
    void *frame;
    Coro *c = coro_of_task(task, &frame);
    *aux = c != NULL ? c->id : frame != NULL && frame == th->ended ? th->ended_id : 0;
    return *aux ? BY_TASK : BY_CODE;
}

/* By what the loop runs as this handle, which is no step of a task. */
static int by_handle(PyObject *handle, uint32_t *aux, uint32_t *off)
{
    if (handle == NULL) {
        return BY_CODE;
    }
    if (aio.timer_handle == NULL) {
        aio.timer_handle = module_attr("asyncio.events", "TimerHandle");
    }
    if ((PyObject *)Py_TYPE(handle) == aio.timer_handle) {
        PyObject *when = get(handle, word.when_attr), *loop = get(handle, word.loop_attr);
        uint64_t due = moment_of(loop, when);
        Py_XDECREF(when);
        Py_XDECREF(loop);
        *aux = (uint32_t)due;
        *off = (uint32_t)(due >> 32);
        return BY_TIMER;
    }
    /* What was posted comes first: of its handle's address we may know what was there before. */
    PyObject *callback = get(handle, word.callback_attr);
    uint32_t id = callback ? thing(callback, TAG_POSTED) : 0;
    Py_XDECREF(callback);
    if (!id) {
        id = thing(handle, TAG_HANDLE);
    }
    if (id == HANDLE_IO) {
        return BY_IO;
    }
    if (id == HANDLE_SIGNAL) {
        return BY_SIGNAL;
    }
    *aux = id;
    return id ? BY_CALLBACK : BY_CODE;
}

/* By whom something is put among what a loop runs next: BY_*, with aux and off. `f` is the frame that puts it there. */
static int cause(Thread *th, Frame *f, uint32_t *aux, uint32_t *off)
{
    *aux = *off = 0;
    Frame *g = below(f);
    for (; g != NULL; g = below(g)) {
        PyCodeObject *code = frame_code(g);
        if (th->top != NULL && th->top->frame == g) {
            return BY_CODE;
        }
        if (code == R.signal_code) {
            return BY_SIGNAL;
        }
        if (code == R.run_code) {
            break;
        }
    }
    if (g == NULL) {
        CodeInfo *info = known_code(frame_code(f));
        return info != NULL && info->probe & P_POST && th->top == NULL ? BY_THREAD : BY_CODE;
    }
    PyObject *task = current_task();
    if (task != NULL) {
        int by = by_step(th, task, aux);
        Py_DECREF(task);
        return by;
    }
    return by_handle(local_of(g, frame_code(g), word.self), aux, off);
}

static uint32_t put_callback(Thread *th, Frame *f)
{
    uint32_t aux, off;
    int by = cause(th, f, &aux, &off);
    put(th, SOON, now(), ++R.callbacks, aux, th->top, off, by);
    return R.callbacks;
}

/* A callback was put among what the loop runs next, as `handle`. */
static void soon(Thread *th, Frame *f, PyCodeObject *code, int probe, PyObject *handle)
{
    PyObject *callback = local_of(f, code, word.callback);
    if (callback == NULL) {
        return;
    }
    PyObject *task = stepped_task(callback);
    if (task != NULL) {
        Coro *c = coro_of_task(task, NULL);
        Py_DECREF(task);
        if (c != NULL && c->state != ST_CREATED && !c->bare) {
            uint32_t aux, off;
            int by = cause(th, f, &aux, &off);
            put(th, WAKE, now(), c->id, aux, th->top, off, by);
        }
    }
    else {
        uint32_t known = probe & P_POST ? thing(callback, TAG_POSTED) : 0;
        if (known) {
            set_thing(callback, TAG_POSTED, (uint32_t)NOTHING);
        }
        set_thing(handle, TAG_HANDLE, known ? known : put_callback(th, f));
    }
}

/* A callback is about to be put there, where another thread may run it at once. */
static void post(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *callback = local_of(f, code, word.callback), *task = callback ? stepped_task(callback) : NULL;
    if (callback != NULL && task == NULL) {
        set_thing(callback, TAG_POSTED, put_callback(th, f));
    }
    Py_XDECREF(task);
}

/* The selector, or a signal, says that a handle's callback is to run. */
static void ready(Frame *f, PyCodeObject *code)
{
    PyObject *handle = local_of(f, code, word.handle);
    Frame *caller = below(f);
    if (handle != NULL && caller != NULL) {
        int io = PyUnicode_Tailmatch(frame_code(caller)->co_name, word.process_events, 0, PY_SSIZE_T_MAX, 1) == 1;
        set_thing(handle, TAG_HANDLE, io ? HANDLE_IO : HANDLE_SIGNAL);
    }
}

/* A timer is set: for whom, is seen when that suspends. */
static void timer(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *args = local_of(f, code, word.args);
    if (is_function(local_of(f, code, word.callback), "_set_result_unless_cancelled") && args != NULL
        && PyTuple_CheckExact(args) && PyTuple_GET_SIZE(args) > 0) {
        th->sleeper = PyTuple_GET_ITEM(args, 0);
        th->due = moment_of(local_of(f, code, word.self), local_of(f, code, word.when));
    }
}

static void asks_selector(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *timeout = local_of(f, code, word.timeout);
    /* only built-in numbers are looked at: a zero lets it return at once */
    th->idle = !(timeout != NULL && ((PyLong_CheckExact(timeout) && PyLong_AsLong(timeout) <= 0)
                                     || (PyFloat_CheckExact(timeout) && PyFloat_AS_DOUBLE(timeout) <= 0)));
    PyErr_Clear();
    th->asked = now();
}

static void selector_answered(Thread *th)
{
    if (th->asked) {
        put(th, SELECT, now(), 0, (uint32_t)th->asked, th->top, (uint32_t)(th->asked >> 32), th->idle ? IDLE : 0);
        th->asked = 0;
    }
}

static uint32_t define_resource(PyObject *object, uint32_t site)
{
    uint32_t type = type_of(Py_TYPE(object)), id = ++R.resources;
    put_definition(RESOURCE, id, type, site, 0, 0);
    set_thing(object, TAG_RESOURCE, id);
    return id;
}

/* The id of what a method is called on; 0: not to be found. */
static uint32_t resource_of(Frame *f, PyCodeObject *code)
{
    PyObject *object = local_of(f, code, word.self);
    if (object == NULL) {
        return 0;
    }
    uint32_t id = thing(object, TAG_RESOURCE);
    return id ? id : define_resource(object, 0);
}

static void give(Thread *th, Frame *f, PyCodeObject *code)
{
    uint32_t resource = resource_of(f, code);
    if (resource) {
        put(th, GIVE, now(), th->top ? th->top->root->id : 0, resource, th->top, 0, 0);
    }
}

static void take(Thread *th, Coro *c, Frame *f, PyCodeObject *code)
{
    uint32_t resource = resource_of(f, code);
    if (resource) {
        uint32_t site = site_of(below(f), 0);
        put(th, TAKE, now(), c->root->id, resource, c, site, 0);
    }
}

/* The local variable that holds what a function waits for all of. */
static PyObject *many_of(Frame *f, PyCodeObject *code)
{
    PyObject *todo = local_of(f, code, word.todo);
    return todo != NULL ? todo : local_of(f, code, word.fs);
}

static void put_edge(Thread *th, Coro *waits, Coro *awaited)
{
    if (waits != NULL && awaited != NULL && waits != awaited) {
        put(th, EDGE, now(), waits->id, awaited->id, th->top, 0, 0);
    }
}

static void edges_to(Thread *th, Coro *waits, PyObject *value, int depth);

static void edges_to_all(Thread *th, Coro *waits, PyObject *many, int depth)
{
    if (many == NULL || !(PyList_CheckExact(many) || PyAnySet_CheckExact(many) || PyTuple_CheckExact(many))) {
        return;
    }
    PyObject *all = PySequence_Tuple(many);
    for (Py_ssize_t i = 0; all != NULL && i < PyTuple_GET_SIZE(all); i++) {
        edges_to(th, waits, PyTuple_GET_ITEM(all, i), depth);
    }
    Py_XDECREF(all);
    PyErr_Clear();
}

/* The inner future of shield()'s outer one. */
static PyObject *shielded(PyObject *outer)
{
    PyObject *all = get(outer, word.callbacks), *inner = NULL;
    for (Py_ssize_t i = 0; all != NULL && PyList_CheckExact(all) && i < PyList_GET_SIZE(all); i++) {
        PyObject *pair = PyList_GET_ITEM(all, i);
        PyObject *done = PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) ? PyTuple_GET_ITEM(pair, 0) : NULL;
        if (is_function(done, "shield.<locals>._outer_done_callback")) {
            PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(done);
            PyObject *cells = PyFunction_GET_CLOSURE(done);
            Py_ssize_t first = code->co_nlocalsplus - code->co_nfreevars; /* where the names of the cells begin */
            for (Py_ssize_t k = 0; cells != NULL && inner == NULL && k < code->co_nfreevars; k++) {
                if (PyTuple_GET_ITEM(code->co_localsplusnames, first + k) == word.inner) {
                    inner = Py_XNewRef(((PyCellObject *)PyTuple_GET_ITEM(cells, k))->ob_ref);
                }
            }
        }
    }
    Py_XDECREF(all);
    return inner;
}

/* `waits` awaits `value`, which may gather others. */
static void edges_to(Thread *th, Coro *waits, PyObject *value, int depth)
{
    if (depth > MAX_GATHERED) {
        return;
    }
    if (is_task(Py_TYPE(value))) {
        put_edge(th, waits, coro_of_task(value, NULL));
    }
    else if ((PyObject *)Py_TYPE(value) == aio.gathering) {
        PyObject *children = get(value, word.children);
        edges_to_all(th, waits, children, depth + 1);
        Py_XDECREF(children);
    }
    else if (R.shields && thing(value, TAG_SHIELD)) {
        PyObject *inner = shielded(value);
        if (inner != NULL) {
            edges_to(th, waits, inner, depth + 1);
            Py_DECREF(inner);
        }
    }
}

/* What a suspended coroutine's own code says of the suspension, when it first suspends. */
static void tell_role(Thread *th, Coro *c, Frame *f, PyCodeObject *code, uint64_t ts)
{
    if (c->role & P_USE) {
        uint32_t resource = resource_of(f, code);
        if (resource) {
            put(th, USE, ts, c->id, resource, th->top, 0, 0);
        }
    }
    if (c->role & P_MANY) {
        edges_to_all(th, c->root, many_of(f, code), 0);
    }
    c->role &= ~(P_USE | P_MANY);
}

static void never_awaited(Thread *th, Frame *f, PyCodeObject *code)
{
    Frame *made = coroutine_frame(local_of(f, code, word.coro));
    CodeInfo *info = made != NULL ? code_of(frame_code(made)) : NULL;
    if (info != NULL) {
        uint32_t site = site_of(below(f), 0);
        put(th, TROUBLE, now(), 0, info->id, th->top, site, NEVER_AWAITED);
    }
}

/* A loop's exception handler is called: asyncio found that a task failed unheard, or is gone. */
static void handler(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *context = local_of(f, code, word.context);
    PyObject *message = context != NULL && PyDict_CheckExact(context) ? PyDict_GetItem(context, word.message) : NULL;
    if (message == NULL || !PyUnicode_CheckExact(message)) {
        return;
    }
    int gone = PyUnicode_CompareWithASCIIString(message, "Task was destroyed but it is pending!") == 0;
    if (!gone && PyUnicode_Tailmatch(message, word.never_retrieved, 0, PY_SSIZE_T_MAX, 1) != 1) {
        PyErr_Clear();
        return;
    }
    PyObject *task = PyDict_GetItem(context, gone ? word.task : word.future);
    PyObject *exc = gone ? NULL : PyDict_GetItem(context, word.exception);
    void *frame = NULL;
    if (task != NULL && is_task(Py_TYPE(task))) {
        coro_of_task(task, &frame);
    }
    uint32_t id = frame != NULL ? thing(frame, TAG_TASK) : 0;
    uint32_t type = exc != NULL ? type_of(Py_TYPE(exc)) : 0;
    put(th, TROUBLE, now(), id, type, th->top, 0, gone ? DESTROYED : NEVER_RETRIEVED);
}

/* A function that a source asked for is called. */
static void probe_start(Thread *th, Frame *f, PyCodeObject *code, int probe)
{
    if (probe & P_SPAWN) {
        spawn(th, f);
        if (probe & P_GROUP && th->spawned != NULL) {
            PyObject *group = local_of(f, code, word.self), *owner = group ? get(group, word.parent_task) : NULL;
            if (owner != NULL && is_task(Py_TYPE(owner))) {
                put_edge(th, coro_of_task(owner, NULL), th->spawned);
            }
            Py_XDECREF(owner);
        }
    }
    else if (probe & P_READY) {
        ready(f, code);
    }
    else if (probe & P_TIMER) {
        timer(th, f, code);
    }
    else if (probe & P_SELECT) {
        asks_selector(th, f, code);
    }
    else if (probe & P_MADE) {
        PyObject *object = local_of(f, code, word.self);
        if (object != NULL) {
            define_resource(object, site_of(below(f), 0));
        }
    }
    else if (probe & P_GIVE) {
        give(th, f, code);
    }
    else if (probe & P_NEVER) {
        never_awaited(th, f, code);
    }
    else if (probe & P_HANDLER) {
        handler(th, f, code);
    }
    else if (probe & P_POST) {
        post(th, f, code);
    }
    else if (probe & P_MANY) {
        set_thing(f, TAG_FRESH, 1);
    }
}

/* ... and returns. */
static void probe_return(Thread *th, Frame *f, PyCodeObject *code, int probe, PyObject *value)
{
    if (probe & P_SOON) {
        soon(th, f, code, probe, value);
    }
    else if (probe & P_SELECT) {
        selector_answered(th);
    }
    else if (probe & P_SHIELD) {
        if (local_of(f, code, word.inner) != value) {
            R.shields = 1;
            set_thing(value, TAG_SHIELD, 1);
        }
    }
    else if (probe & P_MANY && !(code->co_flags & CO_GENERATOR) && th->top != NULL) {
        edges_to_all(th, th->top->root, many_of(f, code), 0);
    }
}

/* What a suspended leaf yielded, as SUSPEND's aux and flags. */
static inline uint32_t awaited(PyObject *value, int *flags)
{
    *flags = 0;
    if (value == Py_None) {
        return 0;
    }
    if (LIKELY((PyObject *)Py_TYPE(value) == aio.future && R.future_string)) {
        return R.future_string;
    }
    if (is_task(Py_TYPE(value))) {
        PyObject *made = get(value, word.coro_attr);
        void *frame = coroutine_frame(made);
        Coro *c = frame ? find(frame) : NULL;
        Py_XDECREF(made);
        if (c != NULL) {
            *flags = AWAITS_TASK;
            return c->id;
        }
    }
    uint32_t id = type_of(Py_TYPE(value));
    if ((PyObject *)Py_TYPE(value) == aio.future) {
        R.future_string = id;
    }
    return id;
}

static void edges_of(Thread *th, Coro *root, PyObject *value)
{
    if (aio.gathering == NULL) {
        aio.gathering = module_attr("asyncio.tasks", "_GatheringFuture");
    }
    edges_to(th, root, value, 0);
}

/* ---- events ---- */

static PyObject *on_plain_start(Thread *th, Frame *f, PyCodeObject *code)
{
    CodeInfo *info = known_code(code);
    int probe = info != NULL ? info->probe : 0;
    if (!probe) {
        probe = wanted_of(code);
        info = probe ? code_of(code) : NULL;
        if (info == NULL) {
            return Py_NewRef(disable);
        }
        info->probe = probe;
        if (probe & P_RUN) {
            R.run_code = code;
        }
        if (probe & P_SIGNAL) {
            R.signal_code = code;
        }
        if (probe & P_SPAWN) {
            watch_throws();
        }
        long bits = (probe & P_SPAWN && LOCAL_THROW ? event_bits[B_UNWIND] : 0) | (probe & AT_RETURN ? event_bits[B_RETURN] : 0)
                    | (probe & P_MANY && code->co_flags & CO_GENERATOR ? event_bits[B_YIELD] : 0);
        if (bits) {
            set_local_events(code, bits);
        }
    }
    if (!(probe & AT_START) && !(probe & P_MANY && code->co_flags & CO_GENERATOR)) {
        return Py_NewRef(disable);
    }
    probe_start(th, f, code, probe);
    Py_RETURN_NONE;
}

static inline PyObject *start_event(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (!(code->co_flags & ASYNC_FLAGS)) {
        return on_plain_start(th, f, code);
    }
    settle(th);
    CodeInfo *info = watch(code);
    Coro *c = find(f);
    if (UNLIKELY(info == NULL)) {
        R.header->lost++;
        Py_RETURN_NONE;
    }
    if (UNLIKELY(c != NULL && (c->state != ST_CREATED || c->code != info->id))) {
        vanish(th, c, 0); /* another was in this memory */
        c = NULL;
    }
    if (c == NULL) {
        c = new_coro(f, info);
    }
    if (LIKELY(c != NULL)) {
        begin(th, c, info, awaiter_of(th, f, 0), 0);
    }
    Py_RETURN_NONE;
}

static inline PyObject *resume_event(Thread *th, Frame *f, PyObject *const *args)
{
    Coro *expected = th->resume;
    if (LIKELY(expected != NULL && expected->frame == f)) {
        th->resume = expected->child;
        Py_RETURN_NONE;
    }
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (UNLIKELY(!(code->co_flags & ASYNC_FLAGS))) {
        return Py_NewRef(disable);
    }
    settle(th);
    Coro *c = find(f);
    if (UNLIKELY(c == NULL || c->state == ST_CREATED)) {
        watch(code);
        open_coro(th, f, 0, 0);
        Py_RETURN_NONE;
    }
    Coro *awaiter = awaiter_of(th, f, 0);
    if (LIKELY(awaiter == NULL && c->root == c && c->state == ST_ALIVE)) {
        Coro *leaf = c;
        enter_root(th, c);
        while (leaf->child != NULL) {
            leaf = leaf->child;
        }
        put(th, RESUMED, now(), c->id, leaf->id, leaf, 0, 0);
        th->resume = c->child;
        th->top = leaf;
    }
    else {
        enter(th, c, f, awaiter, 0);
    }
    Py_RETURN_NONE;
}

static inline int offset_of(PyObject *off)
{
    return LIKELY(PyUnstable_Long_IsCompact((PyLongObject *)off))
               ? (int)PyUnstable_Long_CompactValue((PyLongObject *)off) : (int)PyLong_AsLong(off);
}

static inline int is_item(PyCodeObject *code, PyObject *value)
{
    return code->co_flags & CO_ASYNC_GENERATOR && strcmp(Py_TYPE(value)->tp_name, "async_generator_wrapped_value") == 0;
}

static PyObject *plain_yield(Thread *th, Frame *f, PyCodeObject *code)
{
    if (thing(f, TAG_FRESH) == 1) {
        set_thing(f, TAG_FRESH, 2);
        if (th->top != NULL) {
            edges_to_all(th, th->top->root, many_of(f, code), 0);
        }
    }
    Py_RETURN_NONE;
}

static inline PyObject *yield_event(Thread *th, Frame *f, PyObject *const *args)
{
    Coro *up = th->up;
    int off = offset_of(args[1]);
    if (LIKELY(up != NULL && up->frame == f)) {
        Coro *child = th->up_child;
        if (up->child != child || up->off != off) {
            up->child = child;
            up->off = off;
            put(th, LINK, th->up_ts, up->id, child->id, th->top, (uint32_t)off, 0);
            if (UNLIKELY(up->role & (P_USE | P_MANY))) {
                tell_role(th, up, f, (PyCodeObject *)args[0], th->up_ts);
            }
        }
        th->up_child = up;
        th->up = up->awaiter;
        Py_RETURN_NONE;
    }
    if (UNLIKELY(!(((PyCodeObject *)args[0])->co_flags & ASYNC_FLAGS))) {
        return plain_yield(th, f, (PyCodeObject *)args[0]);
    }
    PyObject *sleeper = th->sleeper;
    settle(th);
    Coro *c = running(th, f);
    if (UNLIKELY(c == NULL)) {
        Py_RETURN_NONE;
    }
    if (is_item((PyCodeObject *)args[0], args[2])) {
        Coro *awaiter = c->awaiter;
        c->state = ST_ITEM;
        if (awaiter && awaiter->child == c) {
            awaiter->child = NULL;
        }
        Coro *after = awaiter ? awaiter : c->outer;
        put(th, ITEM, now(), c->id, awaiter ? awaiter->id : 0, after, (uint32_t)off, 0);
        th->top = after;
        Py_RETURN_NONE;
    }
    int flags;
    uint32_t aux = awaited(args[2], &flags);
    c->child = NULL;
    c->off = off;
    c->closing = 0;
    Coro *after = c->root->outer;
    c->root->bare = args[2] == Py_None;
    uint64_t ts = now();
    put(th, SUSPEND, ts, c->id, aux, after, (uint32_t)off, flags);
    stop_at(th, after);
    th->up = c->awaiter;
    th->up_child = c;
    th->up_ts = ts;
    if (UNLIKELY(sleeper == args[2])) {
        put(th, TIMER, ts, c->id, (uint32_t)th->due, after, (uint32_t)(th->due >> 32), 0);
    }
    if (UNLIKELY(c->role & (P_USE | P_MANY))) {
        tell_role(th, c, f, (PyCodeObject *)args[0], ts);
    }
    if (R.edges && !flags && aux && (aux != R.future_string || R.shields)) {
        edges_of(th, c->root, args[2]);
    }
    Py_RETURN_NONE;
}

static inline PyObject *return_event(Thread *th, Frame *f, PyObject *const *args)
{
    if (((PyCodeObject *)args[0])->co_flags & ASYNC_FLAGS) {
        settle(th);
        Coro *c = running(th, f);
        if (c != NULL) {
            if (UNLIKELY(c->role & P_TAKE && args[2] == Py_True)) {
                take(th, c, f, (PyCodeObject *)args[0]);
            }
            finish(th, c, RETURN, offset_of(args[1]), NULL);
        }
    }
    else {
        CodeInfo *info = known_code((PyCodeObject *)args[0]);
        if (info != NULL) {
            probe_return(th, f, (PyCodeObject *)args[0], info->probe, args[2]);
        }
    }
    Py_RETURN_NONE;
}

static inline PyObject *unwind_event(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (code->co_flags & ASYNC_FLAGS) {
        settle(th);
        Coro *c = running(th, f);
        if (c != NULL) {
            finish(th, c, RAISE, offset_of(args[1]), args[2]);
        }
    }
    else if (th->spawned != NULL) {
        CodeInfo *info = known_code(code);
        if (info != NULL && info->probe & P_SPAWN) {
            if (th->spawned->state == ST_CREATED) {
                vanish(th, th->spawned, NO_TASK); /* create_task itself failed */
            }
            forget_spawned(th);
        }
    }
    Py_RETURN_NONE;
}

static PyObject *throw_event(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (!(code->co_flags & ASYNC_FLAGS)) {
        return Py_NewRef(LOCAL_THROW ? disable : Py_None);
    }
    settle(th);
    watch(code);
    Coro *c = find(f);
    if (c == NULL || c->state == ST_CREATED) {
        open_coro(th, f, THROWN, 1);
    }
    else if (c == th->top) {
        vanish_below(th, c); /* mostly none: its awaited one ended just now, and it only goes on */
    }
    else {
        vanish_below(th, c);
        /* a throw() goes inward by way of the frames, a close() past them */
        Coro *awaiter = awaiter_of(th, f, 1);
        int closing = awaiter == NULL && c->awaiter != NULL && c->state != ST_ITEM
                      && Py_TYPE(args[2]) == (PyTypeObject *)PyExc_GeneratorExit;
        if (closing) {
            awaiter = c->awaiter;
        }
        if (c->state == ST_ITEM || awaiter != c->awaiter || (awaiter == NULL && c->root != c)) {
            enter(th, c, f, awaiter, THROWN); /* not by way of who awaits it */
            Py_RETURN_NONE;
        }
        c->closing = (uint8_t)closing;
        enter_root(th, c->root);
        uint32_t aux = type_of(Py_TYPE(args[2]));
        put(th, THROW, now(), c->id, aux, c, (uint32_t)offset_of(args[1]), 0);
        th->top = c;
    }
    Py_RETURN_NONE;
}

static PyObject *method_name(PyTypeObject *cls, const char *name)
{
    PyObject *owner = type_name(cls), *text = owner ? PyUnicode_FromFormat("%U.%s", owner, name) : NULL;
    Py_XDECREF(owner);
    return text;
}

/* The name of what is called (a new reference, or NULL), without asking it. */
static PyObject *callable_name(PyObject *callable)
{
    if (PyMethod_Check(callable)) {
        callable = PyMethod_GET_FUNCTION(callable);
    }
    if (PyFunction_Check(callable)) {
        return Py_NewRef(((PyCodeObject *)PyFunction_GET_CODE(callable))->co_qualname);
    }
    if (PyCFunction_Check(callable)) {
        PyObject *self = PyCFunction_GET_SELF(callable);
        const char *name = ((PyCFunctionObject *)callable)->m_ml->ml_name;
        if (self == NULL || PyModule_Check(self)) {
            PyObject *module = ((PyCFunctionObject *)callable)->m_module;
            return module != NULL && PyUnicode_CheckExact(module) ? PyUnicode_FromFormat("%U.%s", module, name)
                                                                  : PyUnicode_FromString(name);
        }
        return method_name(PyType_Check(self) ? (PyTypeObject *)self : Py_TYPE(self), name);
    }
    if (Py_TYPE(callable) == &PyMethodDescr_Type) {
        return method_name(((PyDescrObject *)callable)->d_type, ((PyMethodDescrObject *)callable)->d_method->ml_name);
    }
    return type_name(PyType_Check(callable) ? (PyTypeObject *)callable : Py_TYPE(callable));
}

static inline PyObject *call_event(Thread *th, Frame *f, PyObject *const *args)
{
    Coro *c = th->top;
    if (c != NULL && c->frame == f && th->resume == NULL) {
        uint32_t name = string_of(callable_name(args[2]));
        put(th, CALLED, now(), c->id, name, c, (uint32_t)offset_of(args[1]), 0);
    }
    Py_RETURN_NONE;
}

/* ---- the watchdog: a thread that looks what a poll does that has lasted too long ---- */

enum { LOOKS = 4 }; /* within the time that is too long */
static struct {
    int runs, stop;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
} watchdog = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the GIL: what the thread does whose poll still lasts. */
static void look(Thread *th, uint64_t serial)
{
    PyGILState_STATE state = PyGILState_Ensure();
    if (R.on && th->session == R.session && th->serial == serial && th->top != NULL) {
        uint32_t site = site_of(python_frame(current_frame(th->ts)), 1);
        put(th, STACK, now(), th->top->root->id, 0, th->top, site, 0);
    }
    PyGILState_Release(state);
}

static void *watch_polls(void *unused)
{
    pthread_mutex_lock(&watchdog.lock);
    while (!watchdog.stop) {
        struct timespec until;
        clock_gettime(CLOCK_MONOTONIC, &until);
        uint64_t next = (uint64_t)until.tv_nsec + R.slow_ns / LOOKS;
        until.tv_sec += (time_t)(next / 1000000000u);
        until.tv_nsec = (long)(next % 1000000000u);
        pthread_cond_timedwait(&watchdog.wake, &watchdog.lock, &until);
        if (watchdog.stop) {
            break;
        }
        pthread_mutex_unlock(&watchdog.lock);
        /* Without the GIL only these two are read: whether the poll that was there is there still. */
        for (Thread *th = __atomic_load_n(&all_threads, __ATOMIC_ACQUIRE); th != NULL; th = th->next) {
            uint64_t serial = __atomic_load_n(&th->serial, __ATOMIC_RELAXED);
            int same = __atomic_load_n(&th->top, __ATOMIC_RELAXED) != NULL && serial == th->watched_serial;
            th->looks = same ? th->looks + 1 : 0;
            th->watched_serial = serial;
            if (th->looks == LOOKS) {
                look(th, serial);
            }
        }
        pthread_mutex_lock(&watchdog.lock);
    }
    pthread_mutex_unlock(&watchdog.lock);
    return NULL;
}

static void start_watchdog(void)
{
    if (!watchdog.runs && R.slow_ns) {
        sigset_t all, before;
        pthread_condattr_t clock;
        pthread_condattr_init(&clock);
#ifndef __APPLE__
        pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
#endif
        pthread_cond_init(&watchdog.wake, &clock);
        watchdog.stop = 0;
        sigfillset(&all); /* the program's signals are not for this thread */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        watchdog.runs = pthread_create(&watchdog.thread, NULL, watch_polls, NULL) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (!watchdog.runs) {
            R.slow_ns = 0; /* no more threads to be had */
        }
    }
}

static void stop_watchdog(void)
{
    if (watchdog.runs) {
        pthread_mutex_lock(&watchdog.lock);
        watchdog.stop = 1;
        pthread_cond_signal(&watchdog.wake);
        pthread_mutex_unlock(&watchdog.lock);
        Py_BEGIN_ALLOW_THREADS /* it may be waiting for the GIL */
        pthread_join(watchdog.thread, NULL);
        Py_END_ALLOW_THREADS
        watchdog.runs = 0;
    }
}

typedef PyObject *(*event_function)(Thread *, Frame *, PyObject *const *);

__attribute__((noinline)) static PyObject *timed(event_function event, Thread *th, Frame *f, PyObject *const *args)
{
    uint64_t begun = monotonic_ns();
    PyObject *result = event(th, f, args);
    if (R.on) {
        R.header->timed_callbacks++;
        R.header->timed_ns += monotonic_ns() - begun;
        start_watchdog(); /* anew after a fork, for those who meet no new code */
    }
    return result;
}

/* A callback: counted, timed now and then, without effect when nothing records. */
#define CALLBACK(name, event)                                                                                         \
    static PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t n)                                       \
    {                                                                                                                 \
        PyThreadState *ts = tstate();                                                                                 \
        Thread *th = R.on ? this_thread(ts) : NULL;                                                                   \
        if (UNLIKELY(th == NULL)) {                                                                                   \
            Py_RETURN_NONE;                                                                                           \
        }                                                                                                             \
        Frame *f = current_frame(ts);                                                                                 \
        return LIKELY(++R.header->callbacks % COST_EVERY) ? event(th, f, args) : timed(event, th, f, args);           \
    }

CALLBACK(on_start, start_event)
CALLBACK(on_resume, resume_event)
CALLBACK(on_yield, yield_event)
CALLBACK(on_return, return_event)
CALLBACK(on_async_unwind, unwind_event)
CALLBACK(on_throw, throw_event)
CALLBACK(on_call, call_event)

/* Set for all code before 3.15, so it taxes every exception of synchronous code: that is let go first. */
static PyObject *on_unwind(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    if (LIKELY(!R.spawning && R.on && !(((PyCodeObject *)args[0])->co_flags & ASYNC_FLAGS))) {
        R.header->callbacks++;
        Py_RETURN_NONE;
    }
    return on_async_unwind(self, args, n);
}

static struct { const char *event; PyMethodDef def; } callbacks[EVENTS] = {
    {"PY_START", {"on_start", (PyCFunction)(void (*)(void))on_start, METH_FASTCALL, NULL}},
    {"PY_RESUME", {"on_resume", (PyCFunction)(void (*)(void))on_resume, METH_FASTCALL, NULL}},
    {"PY_YIELD", {"on_yield", (PyCFunction)(void (*)(void))on_yield, METH_FASTCALL, NULL}},
    {"PY_RETURN", {"on_return", (PyCFunction)(void (*)(void))on_return, METH_FASTCALL, NULL}},
    {"PY_UNWIND", {"on_unwind", (PyCFunction)(void (*)(void))on_unwind, METH_FASTCALL, NULL}},
    {"PY_THROW", {"on_throw", (PyCFunction)(void (*)(void))on_throw, METH_FASTCALL, NULL}},
    {"CALL", {"on_call", (PyCFunction)(void (*)(void))on_call, METH_FASTCALL, NULL}},
};

/* ---- life ---- */

static int attach(void)
{
    for (int i = 0; i < EVENTS; i++) {
        PyObject *callback = PyCFunction_New(&callbacks[i].def, NULL);
        PyObject *r = callback
            ? PyObject_CallMethod(monitoring, "register_callback", "ilO", R.tool, event_bits[i], callback) : NULL;
        Py_XDECREF(callback);
        Py_XDECREF(r);
        if (r == NULL) {
            return 0;
        }
    }
    R.on = 1;
    set_events(MEET_BITS);
    for (Frame *f = current_frame(PyThreadState_Get()); f != NULL; f = below(f)) {
        if (f->owner < 3 && frame_code(f)->co_flags & ASYNC_FLAGS) { /* who starts us may run in a coroutine */
            watch(frame_code(f));
        }
    }
    return 1;
}

static void detach(void)
{
    R.on = 0;
    set_events(0);
    for (int i = 0; i < EVENTS; i++) {
        PyObject *r = PyObject_CallMethod(monitoring, "register_callback", "ilO", R.tool, event_bits[i], Py_None);
        PyErr_Clear();
        Py_XDECREF(r);
    }
    for (CodeInfo *info = all_codes; info != NULL; info = info->next) {
        if (info->session == R.session && info->probe) {
            info->probe = 0;
            set_local_events(info->code, 0);
        }
    }
}

static void release(void)
{
    R.on = R.active = 0;
    if (R.header) {
        munmap(R.header, R.header_size + TAIL_SIZE);
    }
    if (is_ours(R.fd)) {
        close(R.fd);
    }
    free(R.path);
    for (uint32_t i = 0; R.buckets && i <= R.bucket_mask; i++) {
        while (R.buckets[i] != NULL) {
            Coro *c = R.buckets[i];
            R.buckets[i] = c->next;
            c->state = ST_DEAD;
            c->next = free_coros;
            free_coros = c;
        }
    }
    free(R.buckets);
    free(R.stdlib);
    map_clear(&R.node_map);
    map_clear(&R.site_map);
    map_clear(&R.things);
    Py_CLEAR(R.string_ids);
    Py_CLEAR(aio.current_task);
    Py_CLEAR(aio.c_task);
    Py_CLEAR(aio.py_task);
    Py_CLEAR(aio.future);
    Py_CLEAR(aio.get_name);
    Py_CLEAR(aio.cancelled);
    Py_CLEAR(aio.gathering);
    Py_CLEAR(aio.running_loop);
    Py_CLEAR(aio.current_tasks);
    Py_CLEAR(aio.timer_handle);
    aio.step = NULL;
    uint32_t session = R.session;
    memset(&R, 0, sizeof R);
    R.session = session;
    R.fd = -1;
    current = NULL;
}

PyDoc_STRVAR(start_doc, "start(fd, header_size, max_size, tool_id, stdlib, ticks=False, slow_poll_ns=0, calls=False): see _core.pyi");
static PyObject *start(PyObject *self, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd", "header_size", "max_size", "tool_id", "stdlib", "ticks", "slow_poll_ns", "calls", NULL};
    int fd, tool, ticks = 0, calls = 0;
    unsigned long long slow_poll_ns = 0;
    long long header_size, max_size;
    const char *stdlib;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iLLis|pKp", names, &fd, &header_size, &max_size, &tool, &stdlib, &ticks,
                                     &slow_poll_ns, &calls)) {
        return NULL;
    }
    if (R.active) {
        PyErr_SetString(PyExc_RuntimeError, "it records already");
        return NULL;
    }
    R.session++;
    R.active = 1;
    R.tool = tool;
    R.ticks = ticks;
    R.slow_ns = slow_poll_ns;
    R.calls = calls;
    R.edges = gathers;
    R.header_size = (size_t)header_size;
    long long room = max_size - header_size - TAIL_SIZE;
    R.max_slots = room > 0 ? (uint64_t)room / sizeof(Record) : 0;
    struct stat st;
    R.fd = high_duplicate(fd);
    R.path = path_of(fd);
    int error = R.fd < 0 || fstat(R.fd, &st) != 0 ? errno : reserve((off_t)header_size + TAIL_SIZE);
    if (error == 0) {
        R.device = st.st_dev;
        R.inode = st.st_ino;
        void *header = mmap(NULL, R.header_size + TAIL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, R.fd, 0);
        if (header == MAP_FAILED) {
            error = errno;
        }
        else {
            R.header = header;
        }
    }
    size_t len = strlen(stdlib);
    while (len > 1 && stdlib[len - 1] == '/') {
        len--;
    }
    R.stdlib = malloc(len + 2);
    R.bucket_mask = 1023;
    R.buckets = calloc(R.bucket_mask + 1, sizeof *R.buckets);
    R.string_ids = PyDict_New();
    if (error || R.stdlib == NULL || R.buckets == NULL || R.string_ids == NULL) {
        release();
        if (error) {
            errno = error;
            return PyErr_SetFromErrno(PyExc_OSError);
        }
        return PyErr_NoMemory();
    }
    memcpy(R.stdlib, stdlib, len);
    strcpy(R.stdlib + len, "/");
    R.stdlib_len = len + 1;
#ifdef HAVE_COUNTER
    counter_init();
#endif
    R.tail = R.pos = (Record *)((char *)R.header + R.header_size);
    R.end = R.tail + TAIL_SIZE / sizeof(Record);
    R.header->tail_size = TAIL_SIZE;
    R.nodes = OTHER_NODE;
    put_definition(NODE, OTHER_NODE, 0, 0, 0, 0);
    if (!attach()) {
        release();
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *stop(PyObject *self, PyObject *unused)
{
    if (R.active) {
        stop_watchdog();
        int ours = R.on; /* not in a child that a fork unseen by Python made */
        detach();
        if (ours) {
            flush();
            R.header->end_ns = now();
            R.header->state = STOPPED;
        }
        release();
    }
    Py_RETURN_NONE;
}

/* Before a fork: Python warns of one where there are other threads. It begins anew by itself. */
static PyObject *rest(PyObject *self, PyObject *unused)
{
    stop_watchdog();
    Py_RETURN_NONE;
}

static PyObject *abandon(PyObject *self, PyObject *unused)
{
    if (R.active) {
        detach();
        release();
    }
    Py_RETURN_NONE;
}

static PyObject *recording(PyObject *self, PyObject *unused)
{
    return PyBool_FromLong(R.active);
}

static PyObject *point(PyObject *self, PyObject *args)
{
    PyObject *label, *message;
    if (!PyArg_ParseTuple(args, "UU", &label, &message)) {
        return NULL;
    }
    Thread *th = R.on ? this_thread(tstate()) : NULL;
    if (th == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *a = utf8(label), *b = utf8(message);
    char *text = a && b ? malloc((size_t)(PyBytes_GET_SIZE(a) + PyBytes_GET_SIZE(b)) + 1) : NULL;
    if (text != NULL) {
        size_t n = 0;
        for (Py_ssize_t i = 0; i < PyBytes_GET_SIZE(a); i++) {
            if (PyBytes_AS_STRING(a)[i]) {
                text[n++] = PyBytes_AS_STRING(a)[i];
            }
        }
        text[n++] = 0;
        memcpy(text + n, PyBytes_AS_STRING(b), (size_t)PyBytes_GET_SIZE(b));
        n += (size_t)PyBytes_GET_SIZE(b);
        put(th, POINT, now(), th->top ? th->top->id : 0, 0, th->top, (uint32_t)n, 0);
        put_text(text, n);
        free(text);
    }
    Py_XDECREF(a);
    Py_XDECREF(b);
    Py_RETURN_NONE;
}

static PyObject *add_probe(PyObject *self, PyObject *args)
{
    PyObject *name, *tail;
    int action;
    if (!PyArg_ParseTuple(args, "UUi", &name, &tail, &action)) {
        return NULL;
    }
    PyObject *known = PyDict_GetItemWithError(probes, name);
    if (known != NULL) { /* two sources may ask for one function */
        action |= (int)PyLong_AsLong(PyTuple_GET_ITEM(known, 1));
    }
    gathers |= action & P_MANY;
    PyObject *value = Py_BuildValue("(Oi)", tail, action);
    int failed = value == NULL || PyDict_SetItem(probes, name, value) != 0;
    Py_XDECREF(value);
    if (failed) {
        return NULL;
    }
    Py_RETURN_NONE;
}

static PyObject *clear_probes(PyObject *self, PyObject *unused)
{
    PyDict_Clear(probes);
    gathers = 0;
    Py_RETURN_NONE;
}

/* In a forked child the mapping is the parent's file: not a word into it. */
static void forked(void)
{
    R.on = 0;
    watchdog.runs = 0; /* no thread but the one that forked is here */
}

static PyMethodDef methods[] = {
    {"start", (PyCFunction)(void (*)(void))start, METH_VARARGS | METH_KEYWORDS, start_doc},
    {"stop", stop, METH_NOARGS, NULL},
    {"abandon", abandon, METH_NOARGS, NULL},
    {"rest", rest, METH_NOARGS, NULL},
    {"recording", recording, METH_NOARGS, NULL},
    {"point", point, METH_VARARGS, NULL},
    {"add_probe", add_probe, METH_VARARGS, NULL},
    {"clear_probes", clear_probes, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_core", "The C core: see _core.pyi.", -1, methods,
                                    NULL, NULL, NULL, NULL};

static int add_vocabulary(PyObject *m)
{
    /* for the test that compares with events.py */
    static const struct { const char *name; int value; } kinds[] = {
        {"CODE", CODE}, {"NODE", NODE}, {"STRING", STRING}, {"SITE", SITE}, {"THREAD", THREAD}, {"TEXT", TEXT},
        {"SPAWN", SPAWN}, {"NAME", NAME}, {"START", START}, {"ENTER", ENTER}, {"RESUME", RESUMED}, {"THROW", THROW},
        {"SUSPEND", SUSPEND}, {"LINK", LINK}, {"ITEM", ITEM}, {"RETURN", RETURN}, {"RAISE", RAISE},
        {"VANISH", VANISH}, {"MESSAGE", MESSAGE}, {"POINT", POINT}, {"RESOURCE", RESOURCE}, {"WAKE", WAKE}, {"SOON", SOON},
        {"TIMER", TIMER}, {"SELECT", SELECT}, {"USE", USE}, {"TAKE", TAKE}, {"GIVE", GIVE}, {"EDGE", EDGE},
        {"STACK", STACK}, {"CALL", CALLED}, {"TROUBLE", TROUBLE}, {"IDLE", IDLE}, {"BY_CODE", BY_CODE},
        {"BY_CALLBACK", BY_CALLBACK}, {"BY_TIMER", BY_TIMER}, {"BY_IO", BY_IO}, {"BY_THREAD", BY_THREAD},
        {"BY_SIGNAL", BY_SIGNAL}, {"BY_TASK", BY_TASK}, {"NEVER_AWAITED", NEVER_AWAITED},
        {"NEVER_RETRIEVED", NEVER_RETRIEVED}, {"DESTROYED", DESTROYED}, {"NAME_GIVEN", NAME_GIVEN}, {"IS_TASK", IS_TASK},
        {"THROWN", THROWN}, {"BEFORE", BEFORE}, {"AWAITS_TASK", AWAITS_TASK}, {"CANCELLED", CANCELLED},
        {"CLOSED", CLOSED}, {"NO_TASK", NO_TASK}, {"STOPPED", STOPPED}, {"OTHER_NODE", OTHER_NODE}, {"MAX_NODES", MAX_NODES},
        {"MAX_SITE_FRAMES", MAX_SITE_FRAMES}, {"MAX_MESSAGE", MAX_MESSAGE}, {"COST_EVERY", COST_EVERY},
        {"TEXT_BYTES", TEXT_BYTES}, {"RECORD_SIZE", sizeof(Record)}, {"END_NS_OFFSET", offsetof(Header, end_ns)},
        {"LOST_OFFSET", offsetof(Header, lost)}, {"STATE_OFFSET", offsetof(Header, state)},
        {"CALLBACKS_OFFSET", offsetof(Header, callbacks)},
        {"TIMED_CALLBACKS_OFFSET", offsetof(Header, timed_callbacks)}, {"TIMED_NS_OFFSET", offsetof(Header, timed_ns)},
        {"FLUSHED_OFFSET", offsetof(Header, flushed)}, {"TAIL_BASE_OFFSET", offsetof(Header, tail_base)},
        {"TAIL_SIZE_OFFSET", offsetof(Header, tail_size)}, {"TAIL_SIZE", TAIL_SIZE},
        {NULL, 0},
    };
    PyObject *all = PyDict_New();
    for (int i = 0; all != NULL && kinds[i].name; i++) {
        PyObject *value = PyLong_FromLong(kinds[i].value);
        if (value == NULL || PyDict_SetItemString(all, kinds[i].name, value) != 0) {
            Py_CLEAR(all);
        }
        Py_XDECREF(value);
    }
    return all != NULL && PyModule_AddObject(m, "VOCABULARY", all) == 0;
}

static int init(PyObject *m)
{
    monitoring = PySys_GetObject("monitoring");
    if (monitoring == NULL) {
        PyErr_SetString(PyExc_ImportError, "no sys.monitoring");
        return 0;
    }
    Py_INCREF(monitoring);
    disable = PyObject_GetAttrString(monitoring, "DISABLE");
    PyObject *events = PyObject_GetAttrString(monitoring, "events");
    if (disable == NULL || events == NULL) {
        return 0;
    }
    for (int i = 0; i < EVENTS; i++) {
        PyObject *bit = PyObject_GetAttrString(events, callbacks[i].event);
        if (bit == NULL) {
            return 0;
        }
        event_bits[i] = PyLong_AsLong(bit);
        Py_DECREF(bit);
    }
    Py_DECREF(events);
    extra_index = PyUnstable_Eval_RequestCodeExtraIndex(free_code_info);
    if (extra_index < 0) {
        PyErr_SetString(PyExc_ImportError, "no co_extra slot is free");
        return 0;
    }
    PyObject *own = PyObject_GetAttrString((PyObject *)&PyType_Type, "__dict__");
    if (own == NULL) {
        return 0;
    }
    type_module = PyMapping_GetItemString(own, "__module__");
    type_qualname = PyMapping_GetItemString(own, "__qualname__");
    Py_DECREF(own);
    probes = PyDict_New();
    static const struct { PyObject **place; const char *text; } words[] = {
        {&word.coro_attr, "_coro"}, {&word.must_cancel, "_must_cancel"}, {&word.name_attr, "_name"},
        {&word.self_attr, "__self__"}, {&word.when_attr, "_when"}, {&word.loop_attr, "_loop"}, {&word.time, "time"},
        {&word.parent_task, "_parent_task"}, {&word.children, "_children"}, {&word.callbacks, "_callbacks"},
        {&word.callback_attr, "_callback"},
        {&word.self, "self"}, {&word.callback, "callback"}, {&word.args, "args"}, {&word.when, "when"},
        {&word.handle, "handle"}, {&word.timeout, "timeout"}, {&word.inner, "inner"}, {&word.coro, "coro"},
        {&word.context, "context"}, {&word.fs, "fs"}, {&word.todo, "todo"}, {&word.message, "message"},
        {&word.task, "task"}, {&word.future, "future"}, {&word.exception, "exception"},
        {&word.never_retrieved, "exception was never retrieved"}, {&word.process_events, "_process_events"}, {NULL, NULL},
    };
    for (int i = 0; words[i].place != NULL; i++) {
        *words[i].place = PyUnicode_InternFromString(words[i].text);
        if (*words[i].place == NULL) {
            return 0;
        }
    }
    if (!type_module || !type_qualname || !probes) {
        return 0;
    }
    PyObject *actions = PyDict_New();
    for (int i = 0; actions != NULL && probe_names[i].name; i++) {
        PyObject *bit = PyLong_FromLong(probe_names[i].bit);
        if (bit == NULL || PyDict_SetItemString(actions, probe_names[i].name, bit) != 0) {
            Py_CLEAR(actions);
        }
        Py_XDECREF(bit);
    }
    pthread_atfork(NULL, NULL, forked);
    return PyModule_AddStringConstant(m, "NAME", "c") == 0 && actions != NULL && PyModule_AddObject(m, "ACTIONS", actions) == 0
        && add_vocabulary(m);
}

PyMODINIT_FUNC PyInit__core(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m != NULL && !init(m)) {
        Py_CLEAR(m);
    }
    return m;
}
