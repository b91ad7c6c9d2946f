/* What runs on each thread, and when a thread has ended (the twin: pycore/threads.py).
 *
 * Knows a thread by the id of its state, which no other gets. Keeps no pointer to a state: who ends frees it. */

static inline void set_top(Thread *th, Coro *c)
{
    __atomic_store_n(&th->top, c, __ATOMIC_RELAXED); /* the watchdog may read it just now */
}

/* The states of an interpreter's threads, one by one: each is good until the GIL is given up. Only with the GIL is one taken
 * out, but the watchdog puts its own in without it: not while we look, and we don't look while it does. */
static int linking;

/* Whether it was got: under tracemalloc the watchdog waits for the GIL while it has it, and we don't wait for that. */
static int lock_states(void)
{
    for (int patience = 100; patience > 0; patience--) {
        if (!__atomic_exchange_n(&linking, 1, __ATOMIC_ACQUIRE)) {
            return 1;
        }
        sched_yield();
    }
    return 0;
}

static void unlock_states(int got)
{
    if (got) {
        __atomic_store_n(&linking, 0, __ATOMIC_RELEASE);
    }
}

static PyThreadState *first_state(PyInterpreterState *interpreter)
{
    int got = lock_states();
    PyThreadState *ts = PyInterpreterState_ThreadHead(interpreter);
    unlock_states(got);
    return ts;
}

static PyThreadState *next_state(PyThreadState *ts)
{
    int got = lock_states();
    ts = PyThreadState_Next(ts);
    unlock_states(got);
    return ts;
}

/* The state of the thread of this id, or NULL: it has ended. */
static PyThreadState *find_state(uint64_t id)
{
    PyThreadState *ts = first_state(PyInterpreterState_Main());
    while (ts != NULL && ts->id != id) {
        ts = next_state(ts);
    }
    return ts;
}

static Thread *known_thread(PyThreadState *ts)
{
    Thread *th = all_threads;
    while (th != NULL && th->tstate_id != ts->id) {
        th = th->next;
    }
    return th;
}

static inline void forget_spawned(Thread *th)
{
    if (UNLIKELY(th->spawned != NULL)) {
        th->spawned = NULL;
        R.spawning--;
    }
}

static void begin_thread(Thread *th, PyThreadState *ts)
{
    memset(&th->tstate_id, 0, sizeof *th - offsetof(Thread, tstate_id));
    __atomic_store_n(&th->serial, th->serial + 1, __ATOMIC_RELAXED); /* what the watchdog saw was another's */
    th->tstate_id = ts->id;
    th->native_id = ts->native_thread_id;
    th->session = R.session;
    th->index = NOT_YET;
    set_top(th, NULL);
}

/* An index that no thread has any more: for when there are no new ones left. */
static void spare_index(int index)
{
    if (R.spare_indexes == NULL) {
        R.spare_indexes = malloc(MAX_THREADS * sizeof *R.spare_indexes);
    }
    if (R.spare_indexes != NULL && R.spare_count < MAX_THREADS) {
        R.spare_indexes[R.spare_count++] = (uint16_t)index;
    }
}

/* Those of threads that have ended are free again. */
static void forget_ended_threads(void)
{
    for (Thread *th = all_threads; th != NULL; th = th->next) {
        if (th->tstate_id != 0 && find_state(th->tstate_id) == NULL) {
            if (th->session == R.session) {
                forget_spawned(th);
                R.prepared -= th->prepared;
                if (th->index >= 0 && th->top == NULL) { /* else it ended amid a coroutine, whose time goes on there */
                    spare_index(th->index);
                }
            }
            th->tstate_id = 0;
            set_top(th, NULL);
            th->free = free_threads;
            free_threads = th;
            threads_used--;
        }
    }
}

static Thread *new_thread(void)
{
    static uint32_t most = 64; /* looked at when there are twice as many as lived the last time */
    if (free_threads == NULL && threads_used >= most) {
        forget_ended_threads();
        most = threads_used * 2 > 64 ? threads_used * 2 : 64;
    }
    Thread *th = free_threads;
    if (th != NULL) {
        free_threads = th->free;
    }
    else {
        th = calloc(1, sizeof *th);
        if (th == NULL) {
            lose();
            return NULL;
        }
        th->next = all_threads;
        __atomic_store_n(&all_threads, th, __ATOMIC_RELEASE);
    }
    threads_used++;
    return th;
}

/* Of a thread that may be another than this one, and may have had no event yet. */
static Thread *thread_of(PyThreadState *ts)
{
    Thread *th = known_thread(ts);
    if (th != NULL && th->session == R.session) {
        return th;
    }
    int is_new = th == NULL;
    if (is_new) {
        th = new_thread();
    }
    if (th != NULL) {
        begin_thread(th, ts);
        th->prepared = is_new;
        R.prepared += is_new;
    }
    return th;
}

/* The first event of this thread in this recording, or the first after another thread's. */
static Thread *find_thread(PyThreadState *ts)
{
    Thread *th = own_thread;
    if (th == NULL || th->tstate_id != ts->id) { /* it may be another thread's by now */
        th = R.prepared ? known_thread(ts) : NULL;
        if (th != NULL && th->prepared) {
            th->prepared = 0;
            th->native_id = ts->native_thread_id;
            R.prepared--;
        }
        if (th == NULL) {
            th = new_thread();
        }
        if (th == NULL) {
            return NULL;
        }
        own_thread = th;
    }
    if (th->tstate_id != ts->id || th->session != R.session) {
        begin_thread(th, ts);
    }
    return current = th;
}

static inline Thread *this_thread(PyThreadState *ts)
{
    Thread *th = current;
    return LIKELY(th != NULL && th->tstate_id == ts->id && th->session == R.session) ? th : find_thread(ts);
}
