/* A coroutine begins, is entered again, stops and ends, and the records of that (the twin: pycore/coroutines.py).
 *
 * Knows how to find an awaiter by walking frames. Does not know which event of sys.monitoring says what. */

static Coro *open_coro(Thread *th, Frame *f, int flags, int thrown);

/* The coroutine that awaits the one that runs in `f`, if one does: plain generators are looked through. */
static inline Coro *awaiter_of(Thread *th, Frame *f, int thrown)
{
    for (Frame *inner = f, *g; (g = below(inner)) != NULL; inner = g) {
        PyCodeObject *code = frame_code(g);
        if (!(code->co_flags & (ASYNC_FLAGS | CO_GENERATOR))) {
            return NULL;
        }
        Coro *top = th->top;
        int is_top = top != NULL && top->frame == g;
        if (!is_awaiting(g, code_of(code), code, inner, &thrown)) {
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

/* Whether a throw() that comes from `awaiter` (NULL: from outside) came to `c` along its chain. */
static int passed(Thread *th, Coro *c, Coro *awaiter)
{
    Coro *inner = c, *up = c->awaiter;
    for (; up != NULL && up->child == inner; inner = up, up = up->awaiter) {
        if (up == awaiter) {
            return 1;
        }
    }
    if (up != NULL || awaiter != NULL || inner == c) {
        return 0;
    }
    /* by hand it may be thrown into past its awaiters, but not into an async generator, which then says it runs */
    return c->is_agen || is_step_of(th, top_of(inner));
}

/* A task that is made of a step of an async generator. */
static Coro *new_step(PyObject *step, CodeInfo *info)
{
    Coro *task = new_coro(STEP_KEY(step), info);
    if (task != NULL) {
        task->step = task->is_task = 1;
        task->is_agen = 0;
    }
    return task;
}

static Coro *root_of_step(Coro *c, CodeInfo *info)
{
    PyObject *owner = current_task(), *step = owner ? coroutine_of(owner) : NULL;
    Coro *root = c;
    if (agen_frame(step) == c->frame) {
        Coro *task = find(STEP_KEY(step));
        if (task == NULL) {
            task = new_step(step, info);
        }
        if (task != NULL) {
            forget_unrun(task);
            task->state = ST_ALIVE;
            set_child(task, c);
            root = task;
        }
    }
    Py_XDECREF(step);
    Py_XDECREF(owner);
    return root;
}

/* Of one that is being entered, and that no coroutine awaits, whom it runs for: see top_of(). */
static inline Coro *root_of(Coro *c, CodeInfo *info)
{
    return c->is_agen && info != NULL ? root_of_step(c, info) : c;
}

/* `c` begins to run; write its START. */
static inline void begin(Thread *th, Coro *c, CodeInfo *info, Coro *awaiter, int flags)
{
    if (LIKELY(awaiter != NULL)) {
        set_awaiter(c, awaiter);
        c->root = awaiter->root;
        c->node = node_of(awaiter->node, info);
        c->is_task = 0;
    }
    else {
        Coro *root = c->root = root_of(c, info);
        root->is_task = root->is_task || is_step_of(th, root);
        root->outer = th->top;
        c->node = node_of(0, info);
        if (root->is_task) {
            flags |= IS_TASK;
        }
    }
    c->state = ST_ALIVE;
    c->role = info->probe & ROLES;
    put(th, START, now(), c->id, awaiter ? awaiter->id : 0, c, c->code, flags);
    set_top(th, c);
}

/* What ran until now goes on when `root` stops; not one of its own, which then stopped unseen. */
static inline void enter_root(Thread *th, Coro *root)
{
    if (LIKELY(th->top == NULL || th->top->root != root)) {
        root->outer = th->top;
    }
}

/* The entry of a coroutine that starts in `f`; NULL: no memory. What was there before is gone. */
static inline Coro *coro_that_starts(Thread *th, Frame *f, CodeInfo *info)
{
    Coro *c = find(f);
    if (UNLIKELY(c != NULL && (c->state != ST_CREATED || c->code != info->id))) {
        vanish_chain(th, c);
        c = NULL;
    }
    return c != NULL ? c : new_coro(f, info);
}

/* A frame is first seen in mid-life: it was there before, or an exception is the first it sees. `info`: of its code. */
static Coro *open_with(Thread *th, Frame *f, CodeInfo *info, int flags, int thrown, int is_root)
{
    PyCodeObject *code = frame_code(f);
    if (info == NULL) {
        lose();
        return NULL;
    }
    if (!thrown || stands(info, code, frame_lasti(f, code), AT_YIELD)) {
        flags |= BEFORE;
    }
    Coro *awaiter = is_root ? NULL : awaiter_of(th, f, thrown);
    Coro *c = find(f);
    if (c == NULL) {
        c = new_coro(f, info);
    }
    if (c != NULL) {
        begin(th, c, info, awaiter, flags);
    }
    return c;
}

static Coro *open_coro(Thread *th, Frame *f, int flags, int thrown)
{
    return open_with(th, f, code_of(frame_code(f)), flags, thrown, 0);
}

/* `c` is entered again, by another awaiter or at another await than it stood in: write an ENTER. */
static void enter(Thread *th, Coro *c, Frame *f, Coro *awaiter, int flags)
{
    CodeInfo *info = c->is_agen ? code_of(frame_code(f)) : NULL;
    Coro *root = awaiter ? awaiter->root : root_of(c, info), *left = top_of(c);
    if (UNLIKELY(left != c && left != root)) {
        vanish(th, left, 0); /* its step is over, or the generator would not run for another */
    }
    if (awaiter == NULL) {
        enter_root(th, root);
        if (is_step_of(th, root)) {
            root->is_task = 1;
            flags |= IS_TASK;
        }
    }
    if (info != NULL) {
        c->node = node_of(awaiter ? awaiter->node : 0, info);
    }
    if (c->awaiter && c->awaiter != awaiter && c->awaiter->child == c) {
        c->awaiter->child = NULL;
    }
    set_awaiter(c, awaiter);
    c->state = ST_ALIVE;
    c->closing = 0;
    Coro *leaf = c;
    for (;;) {
        leaf->root = root;
        if (leaf->child == NULL) {
            break;
        }
        leaf = leaf->child;
    }
    put(th, ENTER, now(), c->id, awaiter ? awaiter->id : 0, leaf, 0, flags);
    th->resume = c->child;
    set_top(th, leaf);
}

/* What ran has stopped; `after` goes on. */
static inline void stop_at(Thread *th, Coro *after)
{
    if (UNLIKELY(__atomic_load_n(&th->seen, __ATOMIC_ACQUIRE) == th->serial + 1) && after == NULL && th->top != NULL) {
        put_processor(th, th->top->root->id);
    }
    set_top(th, after);
    if (after == NULL) {
        __atomic_store_n(&th->serial, th->serial + 1, __ATOMIC_RELAXED);
    }
}

static void put_message(Thread *th, Coro *c, PyObject *message, uint64_t ts, Coro *after)
{
    PyObject *data = PyUnicode_GET_LENGTH(message) ? utf8(message) : NULL;
    if (data != NULL) {
        put(th, MESSAGE, ts, c->id, 0, after, (uint32_t)PyBytes_GET_SIZE(data), 0);
        put_text(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
        Py_DECREF(data);
    }
    Py_DECREF(message);
}

/* A task that is made of a step of an async generator has ended, as that handed an item over (ITEM) or ended. */
static void finish_step(Thread *th, Coro *task, int kind, PyObject *exc, uint64_t ts)
{
    PyObject *owner = step_of(th, task), *step = owner ? coroutine_of(owner) : NULL;
    PyObject *message = NULL, *name = NULL, *type = NULL;
    int good = kind == RETURN;
    if (step != NULL) {
        th->ended = task->frame;
        th->ended_id = task->id;
        good = kind == ITEM ? !is_aclose(step) : swallows(step, exc);
        type = good              ? NULL
             : kind == ITEM      ? PyExc_RuntimeError
             : exc == NULL       ? PyExc_StopAsyncIteration
                                 : (PyObject *)Py_TYPE(exc);
    }
    else if (exc != NULL) {
        type = (PyObject *)Py_TYPE(exc);
    }
    uint32_t aux = type ? type_of((PyTypeObject *)type) : 0;
    if (good) {
        exc = NULL;
    }
    else if (exc != NULL) {
        message = message_of(exc);
    }
    int flags = outcome(task, owner, exc);
    if (owner != NULL) {
        name = last_name(task, owner);
    }
    if (name != NULL) {
        put_name(th, task, name, ts, th->top);
        Py_DECREF(name);
    }
    put(th, good ? RETURN : RAISE, ts, task->id, aux, th->top, 0, flags);
    if (message != NULL) {
        put_message(th, task, message, ts, th->top);
    }
    if (!good && !(flags & CANCELLED)) {
        remember_failed(task, owner);
    }
    drop(task);
    Py_XDECREF(step);
    Py_XDECREF(owner);
}

/* A loop of this thread begins another round: what was made before its last round began had its turn then. Where no frame
 * ran the generator had ended, or ran already: the task failed, and nothing said so. */
static void had_turns(Thread *th)
{
    for (Coro *task = R.unrun, *next; task != NULL; task = next) {
        next = task->later;
        if (task->off == th->index) {
            if (task->closing) {
                vanish(th, task, 0);
            }
            task->closing = 1;
        }
    }
}

/* The same where none of its code ran: the Task itself says what became of it, if it is over. */
static void finish_unrun(Thread *th, Coro *task, PyObject *owner)
{
    PyObject *exc = get(owner, word.exception_attr), *state = get(owner, word.state_attr);
    int known = state != NULL && PyUnicode_CheckExact(state) && PyUnicode_CompareWithASCIIString(state, "PENDING") != 0;
    if (known) {
        int cancelled = PyUnicode_CompareWithASCIIString(state, "CANCELLED") == 0;
        int raised = exc != NULL && PyExceptionInstance_Check(exc);
        uint32_t aux = raised ? type_of(Py_TYPE(exc)) : 0;
        PyObject *message = raised ? message_of(exc) : NULL;
        uint64_t ts = now();
        put(th, raised || cancelled ? RAISE : RETURN, ts, task->id, aux, th->top, 0, cancelled ? CANCELLED : 0);
        if (message != NULL) {
            put_message(th, task, message, ts, th->top);
        }
        if (raised && !cancelled) {
            remember_failed(task, owner);
        }
        drop(task);
    }
    Py_XDECREF(exc);
    Py_XDECREF(state);
}

static inline void finish(Thread *th, Coro *c, int kind, int off, PyObject *exc)
{
    int flags = 0;
    uint32_t aux = 0;
    PyObject *message = NULL, *name = NULL;
    if (UNLIKELY(R.tag_names != NULL) && (exc == NULL || Py_TYPE(exc) != (PyTypeObject *)PyExc_GeneratorExit)) {
        tell_tags(th, c->root); /* not where it is closed: anybody may do that */
    }
    Coro *after = c->closing ? c->root->outer : c->awaiter, *root = top_of(c);
    if (UNLIKELY(root != c)) {
        after = root->outer;
    }
    else if (c->awaiter == NULL) {
        PyObject *task = c->is_task ? step_of(th, c) : NULL;
        flags = outcome(c, task, exc);
        if (exc != NULL) {
            message = message_of(exc);
        }
        if (task != NULL) {
            name = last_name(c, task);
            if (kind == RAISE && !(flags & CANCELLED)) {
                remember_failed(c, task);
            }
            Py_DECREF(task);
            th->ended = c->frame;
            th->ended_id = c->id;
        }
        else if (c->is_task) {
            remember_failed(c, NULL);
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
    if (LIKELY(kind == RETURN)) {
        put(th, RETURN, ts, c->id, aux, after, (uint32_t)off, flags);
    }
    else {
        put(th, kind, ts, c->id, aux, after, (uint32_t)off, flags);
    }
    if (message != NULL) {
        put_message(th, c, message, ts, after);
    }
    drop(c);
    stop_at(th, after);
    if (UNLIKELY(root != c)) {
        finish_step(th, root, kind, exc, ts);
    }
}

/* Whatever burst went on is over: something else happens now. */
static inline void end_burst(Thread *th)
{
    if (UNLIKELY(th->resume != NULL)) {
        set_top(th, th->resume->awaiter); /* the burst stopped short of its leaf */
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
