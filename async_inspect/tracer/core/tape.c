/* The recording's file: the clock, slots into the mapped tail, the tail into the file's body (the twin: pycore/tape.py).
 *
 * Knows how a record is laid down, and what is lost when the file can't grow. Does not know what any record means. */

/* The same clock as Python's time.monotonic(), which the launcher reads. */
static inline uint64_t monotonic_ns(void)
{
#ifdef __APPLE__
    return clock_gettime_nsec_np(CLOCK_UPTIME_RAW);
#endif
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

OFTEN uint64_t now(void)
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

/* A tail of which only the first block takes room on the disk: a short program needs no more. */
static int reserve_tail(void)
{
    off_t size = (off_t)R.header_size + TAIL_SIZE;
    int error = may_grow(size) ? reserve((off_t)R.header_size + BLOCK_SIZE) : EFBIG;
    return error ? error : ftruncate(R.fd, size) == 0 ? 0 : errno;
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

enum { BLOCK_SLOTS = BLOCK_SIZE / SLOT_SIZE, TAIL_SLOTS = TAIL_SIZE / SLOT_SIZE };
/* Held by whoever writes the tail out. Who waits for it may have the GIL; who holds it waits for nothing but the disk. */
static pthread_mutex_t writing_out = PTHREAD_MUTEX_INITIALIZER;
static int wake_writer(void);

/* Append the oldest slots of the tail to the body; the order of stores is what events.py says. */
static int append(uint64_t slots)
{
    uint64_t flushed = R.header->flushed;
    Slot *oldest = R.tail + flushed % TAIL_SLOTS;
    const char *data = (const char *)oldest;
    size_t left = slots * sizeof(Slot);
    off_t at = (off_t)(R.header_size + TAIL_SIZE + flushed * sizeof(Slot));
    int fd;
    int at_bound = flushed + slots > R.max_slots;
    if (R.full || at_bound || (fd = own_fd()) < 0 || !may_grow(at + (off_t)left)) {
        left = 1;
    }
    else {
        while (left > 0) {
            ssize_t done = pwrite(fd, data, left, at);
            if (done <= 0) {
                if (done < 0 && errno == EINTR) {
                    continue;
                }
                break;
            }
            data += done;
            at += done;
            left -= (size_t)done;
        }
    }
    if (left > 0) { /* what is in the tail stays there */
        if (!R.full) {
            __atomic_store_n(&R.full, at_bound ? AT_BOUND : NO_ROOM, __ATOMIC_RELAXED);
        }
        return 0;
    }
    flushed += slots;
    __atomic_store_n(&R.header->flushed, flushed, __ATOMIC_RELEASE);
    memset(oldest, 0, slots * sizeof(Slot));
    __atomic_store_n(&R.header->tail_base, flushed, __ATOMIC_RELEASE);
    return 1;
}

/* Write out one block that is full. 0: there is none, or it is not to be. Without the GIL, too. */
static int write_out(void)
{
    pthread_mutex_lock(&writing_out);
    int done = __atomic_load_n(&R.filled, __ATOMIC_ACQUIRE) * BLOCK_SLOTS > R.header->flushed && append(BLOCK_SLOTS);
    pthread_mutex_unlock(&writing_out);
    return done;
}

/* Begin the next block, once its place in the tail is free: whoever comes to write it out, here or in the watchdog. */
RARE int next_block(void)
{
    uint64_t begun = R.begun;
    if (begun == 1 && (R.full || own_fd() < 0 || reserve((off_t)R.header_size + TAIL_SIZE) != 0)) {
        R.full = NO_ROOM; /* to write where there is no room would be a SIGBUS */
        return 0;
    }
    if (R.filled < begun) {
        __atomic_store_n(&R.filled, begun, __ATOMIC_RELEASE);
        if (!wake_writer()) {
            write_out();
        }
    }
    while ((begun + 1) * BLOCK_SLOTS > __atomic_load_n(&R.header->tail_base, __ATOMIC_ACQUIRE) + TAIL_SLOTS) {
        if (!write_out() && __atomic_load_n(&R.full, __ATOMIC_RELAXED)) {
            return 0;
        }
    }
    R.pos = R.tail + begun * BLOCK_SLOTS % TAIL_SLOTS;
    R.end = R.pos + BLOCK_SLOTS;
    R.begun = begun + 1;
    return 1;
}

/* Write out all there is, at the recording's end. */
static void flush(void)
{
    while (write_out()) {
    }
    if (R.header->flushed == (R.begun - 1) * BLOCK_SLOTS) {
        append((uint64_t)(R.pos - (R.end - BLOCK_SLOTS)));
    }
}

static inline void write_long(uint64_t ts, uint32_t coro, uint32_t aux, uint32_t node, uint32_t task, uint32_t off, int thread,
                              int flags, int kind)
{
    Slot *s = R.pos;
    s[1] = (Slot){node | (uint64_t)task << 32,
                  off | (uint64_t)(uint16_t)thread << 32 | (uint64_t)(uint8_t)flags << 48 | (uint64_t)(kind | LONG) << 56};
    s->low = coro | (uint64_t)aux << 32;
    __atomic_store_n(&s->high, ts | 1ull << 63, __ATOMIC_RELEASE); /* last: now it is there */
    R.pos = s + 2;
}

/* What is to be written now is lost, and so is all that comes after it, of which nothing is heard any more: the events are
 * switched off with the next one, since here we are amid a record, perhaps of the watchdog's (callbacks.c). */
RARE void break_off(void)
{
    if (R.on) {
        lose();
        R.header->broken_off = (uint32_t)R.full;
        R.broken_off = 1;
        R.on = 0;
    }
}

/* Begin a block where this one has no room for so many slots. 0: there is none, and what was to be written is lost. */
static inline int room(int slots)
{
    if (LIKELY(R.end - R.pos >= slots)) {
        return 1;
    }
    if (R.pos < R.end) {
        __atomic_store_n(&R.pos++->high, (uint64_t)PAD << 56, __ATOMIC_RELEASE);
    }
    if (!next_block()) {
        break_off();
        return 0;
    }
    write_long(R.last_ts, 0, 0, R.last_node, R.last_task, 0, R.last_thread, 0, ANCHOR);
    return 1;
}

/* Write an event in one slot, by the form of its kind (events.py); 0: it does not fit, or there is no room. */
OFTEN int put_short(uint64_t ts, uint32_t coro, uint32_t aux, uint32_t node, uint32_t task, uint32_t off, int thread, int flags,
                    int kind)
{
    uint64_t passed = ts - R.last_ts, wide = aux, narrow = off, moment = aux | (uint64_t)off << 32;
    uint32_t before = R.last_task;
    int fits, form = (kind == WAKE || kind == SOON) && flags == BY_TIMER ? FORM_SINCE : form_of(kind);
    switch (form) {
    case FORM_START:
        fits = node > OTHER_NODE && task == (aux ? before : coro);
        narrow = node;
        break;
    case FORM_ENTER:
        fits = off == 0 && task == (aux ? before : coro);
        narrow = node;
        break;
    case FORM_RESUME:
        fits = off == 0 && task == coro;
        narrow = node;
        break;
    case FORM_SUSPEND:
        fits = node == 0 && task == 0;
        break;
    case FORM_RETURN:
        fits = aux == 0 && task == (node ? before : 0);
        wide = node;
        break;
    case FORM_RAISE:
        fits = aux <= UINT16_MAX && node <= UINT16_MAX && task == (node ? before : 0);
        wide = aux | node << 16;
        break;
    case FORM_THROW:
        fits = aux <= UINT16_MAX && node <= UINT16_MAX && task == coro;
        wide = aux | node << 16;
        break;
    case FORM_ITEM:
        fits = off <= UINT16_MAX && node <= UINT16_MAX && task == before;
        wide = off | node << 16;
        narrow = (uint64_t)coro - aux;
        break;
    default:
        fits = node == R.last_node && task == before;
        if (form != FORM_EVENT) {
            moment = form == FORM_SINCE ? ts - moment : moment - ts; /* where it is the other way round, huge */
            wide = moment & UINT32_MAX;
            narrow = moment >> 32;
        }
    }
    Slot *s = R.pos;
    if (UNLIKELY(!fits || narrow > UINT16_MAX || passed > UINT32_MAX || thread != R.last_thread || s == R.end)) {
        return 0;
    }
    R.pos = s + 1;
    s->low = passed | (uint64_t)coro << 32;
    __atomic_store_n(&s->high, wide | narrow << 32 | (uint64_t)(uint8_t)flags << 48 | (uint64_t)kind << 56,
                     __ATOMIC_RELEASE); /* last: now it is there */
    R.last_ts = ts;
    R.last_node = node;
    R.last_task = task;
    return 1;
}

/* An event in one slot or in two, after what it takes to have room. */
RARE void put_raw(uint64_t ts, uint32_t coro, uint32_t aux, uint32_t node, uint32_t task, uint32_t off, int thread, int flags,
                  int kind)
{
    if (room(1) && !put_short(ts, coro, aux, node, task, off, thread, flags, kind) && room(2)) {
        write_long(ts, coro, aux, node, task, off, thread, flags, kind);
        R.last_ts = ts;
        R.last_node = node;
        R.last_task = task;
        R.last_thread = thread;
    }
}

RARE void put_definition(int kind, uint32_t id, uint32_t aux, uint32_t off, int flags, uint32_t node)
{
    if (flags || node >> 24) {
        if (room(2)) {
            write_long(0, id, aux, node, 0, off, 0, flags, kind);
        }
    }
    else if (room(1)) {
        R.pos->low = id | (uint64_t)aux << 32;
        __atomic_store_n(&R.pos->high, off | (uint64_t)node << 32 | (uint64_t)kind << 56, __ATOMIC_RELEASE);
        R.pos++;
    }
}

static void put_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i += PIECE_SIZE) {
        if (room(1)) {
            Slot slot = {0, 0};
            memcpy(&slot, text + i, len - i < PIECE_SIZE ? len - i : PIECE_SIZE);
            R.pos->low = slot.low;
            __atomic_store_n(&R.pos->high, slot.high | (uint64_t)TEXT << 56, __ATOMIC_RELEASE);
            R.pos++;
        }
    }
}

/* A thread's index, before its first record; those of threads that have ended are used again when all were used. */
RARE int define_thread(Thread *th)
{
    if (th->index == NOT_YET) {
        th->index = R.threads < MAX_THREADS ? (int)R.threads++ : R.spare_count ? R.spare_indexes[--R.spare_count] : NONE_LEFT;
        if (th->index >= 0) {
            put_definition(THREAD, (uint32_t)th->index, (uint32_t)th->native_id, 0, 0, 0);
        }
    }
    return th->index >= 0;
}

RARE void put_event(Thread *th, int kind, uint64_t ts, uint32_t coro, uint32_t aux, Coro *after, uint32_t off, int flags)
{
    if (th->index < 0 && !define_thread(th)) {
        lose();
        return;
    }
    put_raw(ts, coro, aux, after ? after->node : 0, after ? after->root->id : 0, off, th->index, flags, kind);
}

/* Write an event. `after` runs when it is over. Of a kind that is known as this is compiled, and frequent, no more is left
 * of its form than what it asks for. */
OFTEN void put(Thread *th, int kind, uint64_t ts, uint32_t coro, uint32_t aux, Coro *after, uint32_t off, int flags)
{
    int often = __builtin_constant_p(kind)
                && (kind == START || kind == RETURN || kind == RESUMED || kind == SUSPEND || kind == LINK || kind == WAKE
                    || kind == SOON || kind == SPAWN || kind == EDGE || kind == USE || kind == TAKE || kind == GIVE);
    if (!often || UNLIKELY(!put_short(ts, coro, aux, after ? after->node : 0, after ? after->root->id : 0, off, th->index, flags,
                                      kind))) {
        put_event(th, kind, ts, coro, aux, after, off, flags);
    }
}
