/* The coroutines that live, by their frames: each one's entry, its place in a chain, its end (the twin:
 * pycore/coroutines.py, pycore/coroutine.py).
 *
 * Knows who awaits whom. Does not know which event says so (running.c, callbacks.c). */

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

/* Whoever is the child of one is awaited by that one (or is the generator that a step drives): so it is at every change, so
 * that no walk along a chain goes round, and none comes to an entry that is another's by now. */
static inline void set_child(Coro *c, Coro *child)
{
    assert(child->awaiter == c || c->step);
    c->child = child;
}

static inline void set_awaiter(Coro *c, Coro *awaiter)
{
    assert(c->awaiter == NULL || c->awaiter == awaiter || c->awaiter->child != c);
    c->awaiter = awaiter;
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

/* An entry is used again: what its links say of code may hold again, what they say of frames doesn't. */
RARE void forget_links(Coro *c)
{
    for (uint32_t i = 0; i < c->links; i++) {
        c->link_of[i].told = NULL;
    }
    c->tells = 0;
}

static Coro *new_coro(void *frame, CodeInfo *info)
{
    if (UNLIKELY(free_coros == NULL)) {
        Coro *slab = calloc(256, sizeof *slab); /* never given back: a stale pointer stays readable */
        if (slab == NULL) {
            lose();
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
    c->child = c->awaiter = c->outer = c->earlier = c->later = NULL;
    c->root = c;
    c->name_hash = c->tags = 0;
    c->id = ++R.coros;
    c->node = 0;
    c->code = info->id;
    c->off = -1;
    c->state = ST_ALIVE;
    c->is_task = c->step = c->closing = c->bare = 0;
    c->role = 0;
    c->thrown = c->took = NULL;
    if (UNLIKELY(c->tells)) {
        forget_links(c);
    }
    c->is_agen = info->kind == CODE_ASYNC_GENERATOR;
    if (UNLIKELY(++R.live > R.bucket_mask)) {
        grow();
    }
    uint32_t b = bucket(frame);
    c->next = R.buckets[b];
    R.buckets[b] = c;
    return c;
}

static void add_unrun(Coro *task)
{
    task->earlier = R.last_unrun;
    task->later = NULL;
    *(R.last_unrun ? &R.last_unrun->later : &R.unrun) = task;
    R.last_unrun = task;
}

static void forget_unrun(Coro *task)
{
    if (task->earlier != NULL || R.unrun == task) {
        *(task->earlier ? &task->earlier->later : &R.unrun) = task->later;
        *(task->later ? &task->later->earlier : &R.last_unrun) = task->earlier;
        task->earlier = task->later = NULL;
    }
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
    if (UNLIKELY(c->step)) {
        forget_unrun(c);
    }
    if (c->awaiter && c->awaiter->child == c) {
        c->awaiter->child = NULL;
    }
    if (c->child && c->child->awaiter == c) {
        c->child->awaiter = NULL;
    }
    c->child = NULL;
    if (UNLIKELY(c->room > 64)) {
        free(c->step_of);
        free(c->link_of);
        c->step_of = NULL;
        c->link_of = NULL;
        c->room = c->steps = c->links = 0;
    }
    if (UNLIKELY(passage.root == c)) {
        passage.root = NULL;
    }
    c->serial++;
    c->next = free_coros;
    free_coros = c;
}

/* Of one that no coroutine awaits, whom it runs for: itself, or the task that is made of its step. */
static inline Coro *top_of(Coro *c)
{
    return UNLIKELY(c->root->step && c->root->child == c) ? c->root : c;
}

/* The coroutine of a Task, as far as it is known and has not ended. */
static Coro *coro_of_task(PyObject *task, void **frame)
{
    PyObject *made = coroutine_in(task), *got = UNLIKELY(made == NULL) ? made = coroutine_of(task) : NULL;
    void *key = made == NULL || PyCoro_CheckExact(made) ? coroutine_frame(made) : STEP_KEY(made);
    Py_XDECREF(got);
    if (frame != NULL) {
        *frame = key;
    }
    Coro *c = R.stopped; /* mostly its own step is put among what the loop runs next */
    return LIKELY(c != NULL && c->frame == key && c->state != ST_DEAD) ? c : key ? find(key) : NULL;
}

/* The running task if `c` is its root (a new reference), else NULL. */
static PyObject *step_of(Thread *th, Coro *c)
{
    PyObject *task = current_task();
    if (task != NULL) {
        PyObject *made = coroutine_of(task);
        int its = made != NULL && PyCoro_CheckExact(made)
                      ? (void *)coroutine_frame(made) == c->frame
                  : c->step || agen_frame(made) != NULL
                      ? made != NULL && STEP_KEY(made) == c->frame
                      : c->outer == NULL && (th->top == NULL || th->top == c); /* of what is no coroutine of Python's own */
        Py_XDECREF(made);
        if (!its) {
            Py_CLEAR(task);
        }
    }
    if (task == NULL && (task = trio_now(word.task)) != NULL) {
        PyObject *made = is_trio_task(task) ? coroutine_of(task) : NULL;
        if (made == NULL || (void *)coroutine_frame(made) != c->frame) {
            Py_CLEAR(task);
        }
        Py_XDECREF(made);
    }
    return task;
}

static int is_step_of(Thread *th, Coro *c)
{
    PyObject *task = step_of(th, c);
    Py_XDECREF(task);
    return task != NULL;
}

static Py_hash_t name_hash(PyObject *name)
{
    return PyObject_Hash(name);
}

/* The task's name at its end, if the program gave it and it was not written yet. */
static PyObject *last_name(Coro *c, PyObject *task)
{
    PyObject *name = task_name(task);
    int others = (PyObject *)Py_TYPE(task) == trio.task; /* which tells no name of its making from the program's */
    if (name != NULL && (name_hash(name) == c->name_hash || (others ? c->name_hash == 0 : is_made_up(name)))) {
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
    return exc != NULL && is_cancellation(exc, 0) ? CANCELLED : 0;
}

/* A task has failed, or somebody else ended what it runs: asyncio may say later that nobody looked. */
static void remember_failed(Coro *c, PyObject *owner)
{
    if (owner == NULL || is_task(Py_TYPE(owner))) {
        remember(c->frame, TAG_TASK, c->id, owner);
    }
}

/* `c` has ended and no event said so. */
static void vanish(Thread *th, Coro *c, int flags)
{
    Coro *root = top_of(c);
    if (c->step) {
        remember_failed(c, NULL);
    }
    put(th, VANISH, now(), c->id, 0, th->top, 0, flags);
    drop(c);
    if (root != c) {
        vanish(th, root, 0);
    }
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

/* Whether some thread runs anything of this chain. */
static int is_running(Coro *root)
{
    for (Thread *th = all_threads; th != NULL; th = th->next) {
        Coro *c = th->session == R.session ? th->top : NULL;
        for (uint32_t n = 0; c != NULL && n <= R.live; n++, c = c->root->outer) { /* one that stopped unseen may lead back */
            if (c->root == root) {
                return 1;
            }
        }
    }
    return 0;
}

/* Another is in the memory of `c`: it has ended unseen. So have those that were suspended in it, since they held it, and what
 * it held itself: whatever the collector finalizes while events are off, as in a callback of another tool. */
RARE void vanish_chain(Thread *th, Coro *c)
{
    if (!is_running(c->root)) {
        while (c->awaiter != NULL && c->awaiter->child == c) {
            c = c->awaiter;
        }
        vanish_below(th, c);
    }
    vanish(th, c, 0);
}
