/* The detail `awaits`: only roots are heard, and a root's suspension says its whole chain (the twin: pycore/awaits.py).
 *
 * Knows which event begins, resumes, suspends or ends a root, and what code must tell for that. Does not know how a chain is
 * read (chains.c).
 *
 * Of the code of a root RESUME, YIELD and RETURN are heard, of other code of coroutines START alone. But an exception that is
 * thrown into a chain comes out at its innermost frame, below which nobody is told of anything: that frame, and each that it
 * goes on to from there, then tells what becomes of the chain (`thrown`). */

#define BITS_OF_THROWN (event_bits[B_YIELD] | event_bits[B_RETURN] | (LOCAL_THROW ? event_bits[B_UNWIND] : 0))

/* What the last event left for the next one of a coroutine. */
static inline void forget_last(Thread *th)
{
    th->sleeper = NULL;
    forget_spawned(th);
}

/* A root's frame is first seen in mid-life, or an exception is the first that it sees. */
static Coro *open_root(Thread *th, Frame *f, int flags, int thrown)
{
    return open_with(th, f, root_code(frame_code(f)), flags, thrown, 1);
}

/* What runs is awaited, and nothing is known of any root: one was not seen. */
RARE Coro *open_outermost(Thread *th, Frame *f, int thrown)
{
    for (Frame *g; (g = frame_awaiting(f, thrown)) != NULL;) {
        f = g;
    }
    return find(f) == NULL ? open_root(th, f, 0, thrown) : NULL;
}

/* The entry of this frame, if it has one: what was there before is gone. */
static inline Coro *find_of(Thread *th, Frame *f, PyCodeObject *code)
{
    Coro *c = find(f);
    CodeInfo *info = c != NULL ? entry_of(code) : NULL;
    if (UNLIKELY(c != NULL && (info == NULL || c->code != info->id))) {
        vanish_chain(th, c);
        c = NULL;
    }
    return c;
}

static inline PyObject *awaits_start(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (UNLIKELY(!(code->co_flags & ASYNC_FLAGS))) {
        return on_plain_start(th, f, code);
    }
    CodeInfo *info = role_of(code);
    if (UNLIKELY(info == NULL)) {
        lose();
        Py_RETURN_NONE;
    }
    forget_last(th);
    if (LIKELY(is_awaited(f))) {
        if (UNLIKELY(th->top == NULL)) {
            open_outermost(th, f, 0);
        }
        if (UNLIKELY(info->probe & (P_TAKE | P_MANY | P_CHILDREN | P_UNTIL))) {
            forget_told(th->top, f);
        }
        if (UNLIKELY(info->heard & event_bits[B_RESUME])) {
            Coro *gone = find(f); /* its code is a root's, too, and this memory was one's */
            if (gone != NULL) {
                vanish_chain(th, gone);
            }
        }
        Py_RETURN_NONE;
    }
    root_code(code);
    Coro *c = coro_that_starts(th, f, info);
    if (LIKELY(c != NULL)) {
        begin(th, c, info, NULL, 0);
    }
    Py_RETURN_NONE;
}

static inline PyObject *awaits_resume(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (UNLIKELY(!(code->co_flags & ASYNC_FLAGS))) {
        return Py_NewRef(disable);
    }
    if (UNLIKELY(is_awaited(f))) {
        CodeInfo *info = role_of(code);
        if (th->top == NULL) {
            open_outermost(th, f, 0);
        }
        if (info != NULL && !(info->heard & event_bits[B_RESUME])) { /* set for all code, to see who was there before */
            info->muted = 1;
            return Py_NewRef(disable);
        }
        Coro *c = info != NULL ? find_of(th, f, code) : NULL;
        if (c != NULL) {
            c->state = ST_ITEM; /* it was a root */
        }
        Py_RETURN_NONE;
    }
    forget_last(th);
    Coro *c = find(f);
    if (UNLIKELY(c == NULL || c->state == ST_CREATED)) {
        open_root(th, f, 0, 0);
        Py_RETURN_NONE;
    }
    __builtin_prefetch(c->step_of); /* it is compared when this poll ends, which is mostly soon */
    c->thrown = NULL;
    c->serial++;
    if (LIKELY(top_of(c) == c->root && c->state == ST_ALIVE)) {
        enter_root(th, c->root);
        put(th, RESUMED, now(), c->id, c->id, c, 0, 0);
        set_top(th, c);
    }
    else {
        enter(th, c, f, NULL, 0);
    }
    Py_RETURN_NONE;
}

/* `c` runs no more, and waits: `f` is the frame of its chain that has just yielded, at `off`. */
static inline void suspend(Thread *th, Coro *c, Frame *f, int off, PyObject *value, PyObject *sleeper)
{
    int flags;
    if (UNLIKELY(R.tag_names != NULL)) {
        tell_tags(th, c->root);
    }
    uint32_t aux = awaited(value, &flags);
    uint32_t chain = chain_at(c, f, off);
    if (UNLIKELY(c->thrown != NULL)) {
        c->thrown = NULL;
        passage.root = NULL;
    }
    c->closing = 0;
    c->serial++;
    if (UNLIKELY(inner.all != NULL) && !c->moved) {
        has_moved(c);
    }
    Coro *after = c->root->outer;
    c->root->bare = is_bare(value) != 0;
    R.stopped = c->root;
    uint64_t ts = now();
    put(th, SUSPEND, ts, c->id, aux, after, chain, flags | IN_CHAIN);
    stop_at(th, after);
    if (UNLIKELY(sleeper == value)) {
        put(th, TIMER, ts, c->id, (uint32_t)th->due, after, (uint32_t)(th->due >> 32), 0);
    }
    if (UNLIKELY(c->roles) && !c->root->bare) {
        tell_roles(th, c, f, off, ts);
    }
    if (R.edges && !flags && aux && (aux != R.future_string || R.shields)) {
        edges_of(th, c->root, value);
    }
}

/* An event of a root whose beginning, or resumption, nobody saw. */
static Coro *seen_late(Thread *th, Frame *f, PyCodeObject *code)
{
    Coro *c = find_of(th, f, code);
    if (c == NULL || c->state == ST_CREATED) {
        return open_root(th, f, 0, 0);
    }
    enter(th, c, f, NULL, 0);
    return c;
}

static inline PyObject *awaits_yield(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    Coro *c = th->top;
    if (LIKELY(c != NULL && c->frame == f)) {
        PyObject *sleeper = th->sleeper;
        int off = offset_of(args[1]);
        forget_last(th);
        if (UNLIKELY(is_item(code, off))) {
            hand_item(th, c, off);
        }
        else {
            suspend(th, c, f, off, args[2], sleeper);
        }
        Py_RETURN_NONE;
    }
    if (UNLIKELY(!(code->co_flags & ASYNC_FLAGS))) {
        return plain_yield(th, f, code);
    }
    int off = offset_of(args[1]);
    if (UNLIKELY(c != NULL && c->thrown == f)) {
        PyObject *sleeper = th->sleeper;
        if (!is_item(code, off)) {
            forget_last(th);
            suspend(th, c, f, off, args[2], sleeper);
        }
    }
    else if (UNLIKELY(!is_awaited(f))) {
        forget_last(th);
        c = seen_late(th, f, code);
        if (c != NULL && is_item(code, off)) {
            hand_item(th, c, off);
        }
        else if (c != NULL) {
            suspend(th, c, f, off, args[2], NULL);
        }
    }
    Py_RETURN_NONE;
}

/* A frame that is not the running root's own has ended. */
static void other_ends(Thread *th, Frame *f, PyCodeObject *code, int kind, int off, PyObject *exc)
{
    Coro *top = th->top;
    CodeInfo *info = entry_of(code);
    if (info == NULL) {
        lose();
        return;
    }
    int thrown = top != NULL && top->thrown == f, inner = thrown || is_awaited(f);
    if (kind == RETURN && info->probe & P_TAKE && top != NULL && inner) {
        if (top->took == f) {
            top->took = NULL;
        }
        else {
            take(th, top, f, code);
        }
    }
    if (!inner) {
        forget_last(th);
        Coro *c = seen_late(th, f, code);
        if (c != NULL) {
            finish(th, c, kind, off, exc);
        }
        return;
    }
    int closing = thrown && top->closing;
    Coro *c = info->heard & event_bits[B_RESUME] ? find_of(th, f, code) : NULL; /* it was a root once */
    if (thrown) {
        top->thrown = NULL;
        top->closing = 0;
    }
    if (c != NULL || closing) {
        uint32_t aux = exc != NULL ? type_of(Py_TYPE(exc)) : 0;
        Coro *after = closing ? top->root->outer : top; /* who awaits it is closed next, if that has anything to do then */
        put(th, kind, now(), c != NULL ? c->id : 0, aux, after, (uint32_t)off, 0);
        if (c != NULL) {
            drop(c);
        }
        if (closing) {
            stop_at(th, after);
        }
    }
}

static inline PyObject *awaits_return(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    Coro *c = th->top;
    if (LIKELY(c != NULL && c->frame == f)) {
        forget_last(th);
        if (UNLIKELY(c->role & P_TAKE)) {
            take(th, c, f, code);
        }
        finish(th, c, RETURN, offset_of(args[1]), NULL);
    }
    else if (code->co_flags & ASYNC_FLAGS) {
        other_ends(th, f, code, RETURN, offset_of(args[1]), NULL);
    }
    else {
        return on_plain_return(th, f, code, args[2]);
    }
    Py_RETURN_NONE;
}

static inline PyObject *awaits_unwind(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    Coro *c = th->top;
    if (c != NULL && c->frame == f) {
        forget_last(th);
        finish(th, c, RAISE, offset_of(args[1]), args[2]);
    }
    else if (code->co_flags & ASYNC_FLAGS) {
        other_ends(th, f, code, RAISE, offset_of(args[1]), args[2]);
    }
    else {
        on_plain_unwind(th, code);
    }
    Py_RETURN_NONE;
}

/* The root of the task that runs now, as far as it is known and suspended. */
static Coro *root_of_task(Thread *th)
{
    PyObject *task = current_task();
    Coro *c = task != NULL ? coro_of_task(task, NULL) : NULL;
    Py_XDECREF(task);
    if (c == NULL && (task = trio_now(word.task)) != NULL) {
        c = is_trio_task(task) ? coro_of_task(task, NULL) : NULL;
        Py_DECREF(task);
    }
    if (c != NULL && c->step) {
        c = c->child;
    }
    return c != NULL && c != th->top && (c->state == ST_ALIVE || c->state == ST_ADOPTED) ? c : NULL;
}

/* Whether an exception that goes outward through the chain of what runs has come to `f`. */
static int passes(Coro *c, Frame *f)
{
    uint32_t n = c != NULL && passage.root == c ? passage.count : 0;
    while (n > 0 && passage.frames[n - 1] != f) {
        n--;
    }
    if (n > 0) {
        passage.count = n - 1;
    }
    return n > 0;
}

/* The root into whose chain an exception was thrown, which came to `f`; NULL: to none. A throw() goes inward by way of the
 * frames, but for those that await what is no coroutine itself (the step of an async generator, the __await__() of another
 * one): these are not among them. A close() goes past all frames. */
static Coro *root_through(Thread *th, Frame *f, PyCodeObject *code, PyObject *exc, int *closing)
{
    if (passes(th->top, f)) {
        return th->top;
    }
    Frame *outermost = f;
    for (Frame *g; (g = frame_awaiting(outermost, 1)) != NULL;) {
        outermost = g;
    }
    Coro *c = outermost != f ? find_of(th, outermost, frame_code(outermost)) : NULL;
    if (c != NULL && (c->state == ST_ALIVE || c->state == ST_ADOPTED) && goes_through(c, f)) {
        return c;
    }
    if (th->top != NULL && th->top->thrown != NULL && goes_through(th->top, f)) {
        return th->top;
    }
    int past_all = outermost == f && Py_TYPE(exc) == (PyTypeObject *)PyExc_GeneratorExit;
    c = root_of_task(th);
    if (c != NULL && c->frame != f && goes_through(c, f)) {
        *closing = past_all;
        return c;
    }
    /* by hand it may be thrown into past its awaiters, but not into an async generator, which then says it runs */
    if (past_all || outermost != f || code->co_flags & CO_ASYNC_GENERATOR) {
        *closing = past_all;
        c = find_inner(f);
        if (c != NULL && !past_all) {
            goes_through(c, f);
        }
        return c;
    }
    return NULL;
}

static PyObject *awaits_throw(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (!(code->co_flags & ASYNC_FLAGS)) {
        return Py_NewRef(LOCAL_THROW ? disable : Py_None);
    }
    forget_last(th);
    CodeInfo *info = role_of(code);
    if (info == NULL) {
        lose();
        Py_RETURN_NONE;
    }
    Coro *c = find_of(th, f, code);
    if (c != NULL && c == th->top) { /* mostly what it awaited has ended just now, and it only goes on */
        c->thrown = NULL;
        passage.root = NULL;
        Py_RETURN_NONE;
    }
    if (code->co_flags & CO_ASYNC_GENERATOR && frame_awaiting(f, 0) != NULL) { /* by an athrow() of the chain that runs */
        if (th->top == NULL) {
            open_outermost(th, f, 0);
        }
        Py_RETURN_NONE;
    }
    int closing = 0;
    Coro *root = c != NULL && (c->state == ST_ALIVE || c->state == ST_ADOPTED) && frame_awaiting(f, 1) == NULL ? c
                 : c == NULL || c->state != ST_CREATED ? root_through(th, f, code, args[2], &closing) : NULL;
    if (root == NULL && c == NULL && frame_awaiting(f, 1) != NULL) {
        root = open_outermost(th, f, 1);
        if (root != NULL) {
            hear(info, code, BITS_OF_THROWN);
            root->thrown = f;
        }
    }
    else if (root == NULL && (c == NULL || c->state == ST_CREATED)) {
        open_root(th, f, THROWN, 1);
    }
    else if (root == NULL || (root == c && (c->state != ST_ALIVE || top_of(c) != c->root))) {
        enter(th, c, f, NULL, THROWN);
        c->thrown = NULL;
    }
    else {
        if (root != c) {
            hear(info, code, BITS_OF_THROWN);
            if (c != NULL) {
                c->state = ST_ITEM; /* it was a root once */
            }
        }
        if (root != th->top) {
            enter_root(th, root->root);
            uint32_t aux = type_of(Py_TYPE(args[2]));
            put(th, THROW, now(), root->id, aux, root, 0, 0);
            set_top(th, root);
            root->closing = (uint8_t)closing;
        }
        root->thrown = root != c ? f : NULL;
        if (root == c) {
            passage.root = NULL;
        }
    }
    Py_RETURN_NONE;
}

CALLBACK(on_awaits_start, awaits_start, 2)
CALLBACK(on_awaits_resume, awaits_resume, 2)
CALLBACK(on_awaits_yield, awaits_yield, 3)
CALLBACK(on_awaits_return, awaits_return, 3)
CALLBACK(on_awaits_any_unwind, awaits_unwind, 3)
CALLBACK(on_awaits_throw, awaits_throw, 3)

static PyObject *on_awaits_unwind(PyObject *self UNUSED, PyObject *const *args, size_t n, PyObject *keywords)
{
    return is_of_no_concern(args, n) ? Py_NewRef(Py_None) : on_awaits_any_unwind(self, args, n, keywords);
}

static const vectorcallfunc callbacks_of_roots[EVENTS] = {
    on_awaits_start, on_awaits_resume, on_awaits_yield, on_awaits_return, on_awaits_unwind, on_awaits_throw, on_call,
};
