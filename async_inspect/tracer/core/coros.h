/* What is known of each coroutine, by its frame. */

static Thread *known_thread(PyThreadState *ts)
{
    Thread *th = all_threads;
    while (th != NULL && th->tstate_id != ts->id) {
        th = th->next;
    }
    return th;
}

static void begin_thread(Thread *th, PyThreadState *ts)
{
    *th = (Thread){.tstate_id = ts->id, .session = R.session, .index = -1, .ts = ts, .next = th->next};
}

static Thread *new_thread(void)
{
    Thread *th = calloc(1, sizeof *th); /* small, and one a thread: left to the thread's end and beyond */
    if (th != NULL) {
        th->next = all_threads;
        __atomic_store_n(&all_threads, th, __ATOMIC_RELEASE);
    }
    else {
        lose();
    }
    return th;
}

/* Of a thread that may be another than this one, and may have had no event yet. */
static Thread *thread_of(PyThreadState *ts)
{
    Thread *th = known_thread(ts);
    if (th == NULL) {
        th = new_thread();
        R.prepared += th != NULL;
    }
    if (th != NULL && th->session != R.session) {
        begin_thread(th, ts);
    }
    return th;
}

static inline Thread *this_thread(PyThreadState *ts)
{
    Thread *th = current;
    if (LIKELY(th != NULL && th->tstate_id == ts->id && th->session == R.session)) {
        return th;
    }
    th = own_thread;
    if (UNLIKELY(R.prepared && (th == NULL || th->tstate_id != ts->id))) {
        Thread *prepared = known_thread(ts);
        if (prepared != NULL) {
            R.prepared--;
            th = own_thread = prepared;
        }
    }
    if (th == NULL) {
        th = own_thread = new_thread();
        if (th == NULL) {
            return NULL;
        }
    }
    if (th->tstate_id != ts->id || th->session != R.session) {
        begin_thread(th, ts);
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
    c->name_hash = c->tags = 0;
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
