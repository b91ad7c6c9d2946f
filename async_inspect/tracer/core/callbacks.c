/* What each event of sys.monitoring says, and the callbacks that it calls (the twin: pycore/recorder.py, pycore/guard.py).
 *
 * Knows which event begins, resumes, suspends or ends what. Knows nothing of how records are written. */

/* Ask for these events of a plain function. */
static void ask_for(PyCodeObject *code, Actions probe, long bits)
{
    bits |= probe & P_SPAWN && LOCAL_THROW ? event_bits[B_UNWIND] : 0;
    if (bits && R.on) {
        set_local_events(code, bits);
    }
}

static PyObject *on_plain_start(Thread *th, Frame *f, PyCodeObject *code)
{
    CodeInfo *info = known_code(code);
    Actions probe = info != NULL ? info->probe : 0;
    if (!probe) {
        probe = wanted_of(code);
        info = probe ? code_of(code) : NULL;
        if (info == NULL) {
            return Py_NewRef(disable);
        }
        prepare(info, code, probe);
        ask_for(code, probe, (info->at_return != NULL && !(probe & P_SPAWN) ? event_bits[B_RETURN] : 0)
                             | (probe & P_MANY && code->co_flags & CO_GENERATOR ? event_bits[B_YIELD] : 0));
    }
    if (info->at_start == NULL) {
        return Py_NewRef(disable);
    }
    info->at_start->handler(th, f, code, probe, NULL);
    if (UNLIKELY(probe & COLD_AT_START && PyErr_Occurred())) {
        return NULL;
    }
    if (UNLIKELY(probe & P_SPAWN && th->spawned != NULL && th->spawned->step) && (info = code_of(code)) != NULL && !info->returns) {
        info->returns = 1; /* an eager one is over then */
        ask_for(code, probe, event_bits[B_RETURN]);
    }
    Py_RETURN_NONE;
}

static inline PyObject *start_event(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (!(code->co_flags & ASYNC_FLAGS)) {
        return on_plain_start(th, f, code);
    }
    end_burst(th);
    CodeInfo *info = watch(code);
    if (UNLIKELY(info == NULL)) {
        lose();
        Py_RETURN_NONE;
    }
    Coro *c = coro_that_starts(th, f, info);
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
    end_burst(th);
    Coro *c = find(f);
    if (UNLIKELY(c == NULL || c->state == ST_CREATED)) {
        watch(code);
        open_coro(th, f, 0, 0);
        Py_RETURN_NONE;
    }
    Coro *awaiter = awaiter_of(th, f, 0);
    if (LIKELY(awaiter == NULL && top_of(c) == c->root && c->state == ST_ALIVE)) {
        Coro *leaf = c;
        enter_root(th, c->root);
        while (leaf->child != NULL) {
            leaf = leaf->child;
        }
        put(th, RESUMED, now(), c->id, leaf->id, leaf, 0, 0);
        th->resume = c->child;
        set_top(th, leaf);
    }
    else {
        enter(th, c, f, awaiter, 0);
    }
    Py_RETURN_NONE;
}

/* -1: none that can be one */
static inline int offset_of(PyObject *off)
{
    return LIKELY(PyLong_CheckExact(off) && PyUnstable_Long_IsCompact((PyLongObject *)off))
               ? (int)PyUnstable_Long_CompactValue((PyLongObject *)off) : -1;
}

/* Whether an async generator hands over an item, told from its bytecode: that the value then is a wrapper of CPython's own
 * is a leak that is to be closed (gh-129013). */
static inline int is_item(PyCodeObject *code, int off)
{
    if (LIKELY(!(code->co_flags & CO_ASYNC_GENERATOR))) {
        return 0;
    }
    CodeInfo *info = known_code(code);
    return info != NULL && (info->stands != NULL || look_at_code(info, code)) && off >= 0 && off / 2 < info->stands_len
           && info->stands[off / 2] & AT_ITEM;
}

/* `c` is an async generator, and hands an item over. */
static inline void hand_item(Thread *th, Coro *c, int off)
{
    Coro *awaiter = c->awaiter, *root = top_of(c);
    c->state = ST_ITEM;
    if (awaiter && awaiter->child == c) {
        awaiter->child = NULL;
    }
    set_awaiter(c, NULL); /* who comes next is another, and by then what was there may be one, too */
    c->root = c;
    Coro *after = awaiter ? awaiter : root->outer;
    uint64_t ts = now();
    put(th, ITEM, ts, c->id, awaiter ? awaiter->id : 0, after, (uint32_t)off, 0);
    if (awaiter != NULL) {
        set_top(th, after);
    }
    else {
        stop_at(th, after);
    }
    if (UNLIKELY(root != c)) {
        finish_step(th, root, ITEM, NULL, ts);
    }
}

static PyObject *plain_yield(Thread *th, Frame *f, PyCodeObject *code)
{
    if (was_fresh(th, f) && th->top != NULL) {
        edges_to_all(th, th->top->root, many_of(f, code), 0);
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
            set_child(up, child);
            up->off = off;
            put(th, LINK, th->up_ts, up->id, child->id, th->top, (uint32_t)off, 0);
            if (UNLIKELY(up->role & AT_SUSPENSION && !up->root->bare)) {
                record_wait_target(th, up, f, (PyCodeObject *)args[0], th->up_ts);
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
    end_burst(th);
    Coro *c = running(th, f);
    if (UNLIKELY(c == NULL)) {
        Py_RETURN_NONE;
    }
    if (is_item((PyCodeObject *)args[0], off)) {
        hand_item(th, c, off);
        Py_RETURN_NONE;
    }
    int flags;
    if (UNLIKELY(R.tag_names != NULL)) {
        tell_tags(th, c->root);
    }
    uint32_t aux = awaited(args[2], &flags);
    c->child = NULL;
    c->off = off;
    c->closing = 0;
    Coro *after = c->root->outer;
    c->root->bare = is_bare(args[2]) != 0;
    R.stopped = c->root;
    uint64_t ts = now();
    put(th, SUSPEND, ts, c->id, aux, after, (uint32_t)off, flags);
    stop_at(th, after);
    th->up = c->awaiter;
    th->up_child = c;
    th->up_ts = ts;
    if (UNLIKELY(sleeper == args[2])) {
        put(th, TIMER, ts, c->id, (uint32_t)th->due, after, (uint32_t)(th->due >> 32), 0);
    }
    if (UNLIKELY(c->role & AT_SUSPENSION && !c->root->bare)) {
        record_wait_target(th, c, f, (PyCodeObject *)args[0], ts);
    }
    if (R.edges && !flags && aux && (aux != R.future_string || R.shields)) {
        edges_of(th, c->root, args[2]);
    }
    Py_RETURN_NONE;
}

static inline PyObject *on_plain_return(Thread *th, Frame *f, PyCodeObject *code, PyObject *value)
{
    CodeInfo *info = known_code(code);
    if (info != NULL && info->at_return != NULL) {
        Actions actions = info->probe;
        info->at_return->handler(th, f, code, actions, value);
        if (UNLIKELY(actions & COLD_AT_RETURN && PyErr_Occurred())) {
            return NULL;
        }
    }
    Py_RETURN_NONE;
}

static inline PyObject *return_event(Thread *th, Frame *f, PyObject *const *args)
{
    if (((PyCodeObject *)args[0])->co_flags & ASYNC_FLAGS) {
        end_burst(th);
        Coro *c = running(th, f);
        if (c != NULL) {
            if (UNLIKELY(c->role & P_TAKE)) {
                take(th, c, f, (PyCodeObject *)args[0]);
            }
            finish(th, c, RETURN, offset_of(args[1]), NULL);
        }
    }
    else {
        return on_plain_return(th, f, (PyCodeObject *)args[0], args[2]);
    }
    Py_RETURN_NONE;
}

static inline void on_plain_unwind(Thread *th, PyCodeObject *code)
{
    CodeInfo *info = th->spawned != NULL ? known_code(code) : NULL;
    if (info != NULL && info->probe & P_SPAWN) {
        if (th->spawned->state == ST_CREATED) {
            vanish(th, th->spawned, NO_TASK); /* create_task itself failed */
        }
        forget_spawned(th);
    }
}

static inline PyObject *unwind_event(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (code->co_flags & ASYNC_FLAGS) {
        end_burst(th);
        Coro *c = running(th, f);
        if (c != NULL) {
            finish(th, c, RAISE, offset_of(args[1]), args[2]);
        }
    }
    else {
        on_plain_unwind(th, code);
    }
    Py_RETURN_NONE;
}

static PyObject *throw_event(Thread *th, Frame *f, PyObject *const *args)
{
    PyCodeObject *code = (PyCodeObject *)args[0];
    if (!(code->co_flags & ASYNC_FLAGS)) {
        return Py_NewRef(LOCAL_THROW ? disable : Py_None);
    }
    end_burst(th);
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
        /* A throw() goes inward by way of the frames, but for those that await what is no coroutine itself (the step of an
         * async generator, the __await__() of another one): these are not among them. A close() goes past all frames. */
        Coro *awaiter = awaiter_of(th, f, 1);
        int closing = awaiter == NULL && c->awaiter != NULL && c->state != ST_ITEM
                      && Py_TYPE(args[2]) == (PyTypeObject *)PyExc_GeneratorExit;
        if (closing || passed(th, c, awaiter)) {
            awaiter = c->awaiter;
        }
        if (c->state == ST_ITEM || c->state == ST_ADOPTED || awaiter != c->awaiter || (awaiter == NULL && top_of(c) != c->root)) {
            enter(th, c, f, awaiter, THROWN); /* not by way of who awaits it */
            Py_RETURN_NONE;
        }
        c->closing = (uint8_t)closing;
        enter_root(th, c->root);
        uint32_t aux = type_of(Py_TYPE(args[2]));
        put(th, THROW, now(), c->id, aux, c, (uint32_t)offset_of(args[1]), 0);
        set_top(th, c);
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

typedef PyObject *(*event_function)(Thread *, Frame *, PyObject *const *);

__attribute__((noinline)) static PyObject *timed(event_function event, Thread *th, Frame *f, PyObject *const *args)
{
    uint64_t begun = monotonic_ns();
    PyObject *result = event(th, f, args);
    if (R.on) {
        R.header->timed_callbacks++;
        R.header->timed_ns += monotonic_ns() - begun;
        start_watchdog(); /* anew after a fork, for those to whom no code is new */
    }
    return result;
}

/* A callback: counted, timed now and then, without effect when nothing records. Called for whatever sys.monitoring, a
 * compiled module (PyMonitoring_Fire*Event) or anybody who found it says; what is no event of the frame that runs is none
 * of ours: its "code" may be any object. */
typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
} Callback;

/* What is called is none, or nothing is recorded. Where that is so since the recording broke off, this is where the events
 * are switched off, amid nothing else: none of our records is being made on this thread. */
RARE PyObject *no_event(void)
{
    if (R.broken_off == 1) {
        R.broken_off = 2; /* whoever comes while this is done has nothing to do */
        dismiss_watchdog();
        R.broken_off = switch_off() ? 2 : 1;
    }
    Py_RETURN_NONE;
}

#define CALLBACK(name, event, words)                                                                                  \
    static PyObject *name(PyObject *self UNUSED, PyObject *const *args, size_t n, PyObject *keywords UNUSED)          \
    {                                                                                                                 \
        PyThreadState *ts = tstate();                                                                                 \
        Frame *f = current_frame(ts);                                                                                 \
        if (UNLIKELY(!R.on || PyVectorcall_NARGS(n) != words || f == NULL || (PyObject *)frame_code(f) != args[0])) { \
            return no_event();                                                                                        \
        }                                                                                                             \
        Thread *th = this_thread(ts);                                                                                 \
        if (UNLIKELY(th == NULL)) {                                                                                   \
            Py_RETURN_NONE;                                                                                           \
        }                                                                                                             \
        return LIKELY(++R.header->callbacks % COST_EVERY) ? event(th, f, args) : timed(event, th, f, args);           \
    }

CALLBACK(on_start, start_event, 2)
CALLBACK(on_resume, resume_event, 2)
CALLBACK(on_yield, yield_event, 3)
CALLBACK(on_return, return_event, 3)
CALLBACK(on_async_unwind, unwind_event, 3)
CALLBACK(on_throw, throw_event, 3)
CALLBACK(on_call, call_event, 4)

/* Of an UNWIND, which is set for all code before 3.15, so that it taxes every exception of synchronous code: that is let go
 * first. */
static inline int is_of_no_concern(PyObject *const *args, size_t n)
{
    if (LIKELY(!R.spawning && R.on && PyVectorcall_NARGS(n) == 3 && PyCode_Check(args[0])
               && !(((PyCodeObject *)args[0])->co_flags & ASYNC_FLAGS))) {
        R.header->callbacks++;
        return 1;
    }
    return 0;
}

static PyObject *on_unwind(PyObject *self UNUSED, PyObject *const *args, size_t n, PyObject *keywords)
{
    return is_of_no_concern(args, n) ? Py_NewRef(Py_None) : on_async_unwind(self, args, n, keywords);
}

/* As a builtin is called, but that takes none of the recursion in C that the program has left. */
static PyTypeObject callback_type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "async_inspect.callback",
    .tp_basicsize = sizeof(Callback),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Callback, call),
    .tp_call = PyVectorcall_Call,
};

static const struct { const char *event; vectorcallfunc call; } callbacks[EVENTS] = {
    {"PY_START", on_start}, {"PY_RESUME", on_resume}, {"PY_YIELD", on_yield}, {"PY_RETURN", on_return},
    {"PY_UNWIND", on_unwind}, {"PY_THROW", on_throw}, {"CALL", on_call},
};
