/* Which events of sys.monitoring are asked for, of all code and of each code object.
 *
 * Knows what a source wants of a function, by its name and file. Does nothing when an event comes. */

enum { B_START, B_RESUME, B_YIELD, B_RETURN, B_UNWIND, B_THROW, B_CALL, EVENTS };
static long event_bits[EVENTS]; /* as sys.monitoring has them ... */
static PyObject *event_objects[EVENTS]; /* ... and the same as objects */
#define LOCAL_THROW (PY_VERSION_HEX >= 0x030F0000) /* before, these two can only be set for all code */
#define THROW_BITS (event_bits[B_UNWIND] | event_bits[B_THROW])
/* set for all code, to see each once: plain code then says DISABLE; what began before the recording is first seen resumed */
#define BITS_OF_ALL_CODE (event_bits[B_START] | event_bits[B_RESUME] | (LOCAL_THROW ? event_bits[B_THROW] : 0))

/* Call a function of sys.monitoring's for our tool; `second` may be NULL. Asks for no memory of its own. */
static int monitor(PyObject *function, PyObject *first, PyObject *second)
{
    PyObject *arguments[] = {PyLong_FromLong(R.tool), first, second}; /* so small a number is always there */
    PyObject *done = PyObject_Vectorcall(function, arguments, second ? 3 : 2, NULL);
    Py_DECREF(arguments[0]);
    Py_XDECREF(done);
    return done != NULL;
}

static int set_events(long bits)
{
    PyObject *events = PyLong_FromLong(bits);
    int done = events != NULL && monitor(monitoring.set_events, events, NULL);
    Py_XDECREF(events);
    return done;
}

static void set_local_events(PyCodeObject *code, long bits)
{
    PyObject *events = PyLong_FromLong(bits);
    if (events == NULL || !monitor(monitoring.set_local_events, (PyObject *)code, events)) {
        drop_error();
    }
    Py_XDECREF(events);
}

static void watch_throws(void)
{
    /* not before there is a coroutine: these tax every exception of synchronous code */
    if (!R.throws_on && !LOCAL_THROW) {
        R.throws_on = set_events(BITS_OF_ALL_CODE | THROW_BITS);
        drop_error();
    }
}

/* What a source wants to know of this function: P_*, by its name and file. */
static Actions wanted_of(PyCodeObject *code)
{
    PyObject *name = exact(code->co_qualname), *wanted = name && probes.wanted ? PyDict_GetItemWithError(probes.wanted, name) : NULL;
    Py_XDECREF(name);
    PyObject *tail, *actions;
    for (Py_ssize_t i = 0; wanted != NULL && PyDict_Next(wanted, &i, &tail, &actions);) {
        if (PyUnicode_Tailmatch(code->co_filename, tail, 0, PY_SSIZE_T_MAX, 1) == 1) {
            return PyLong_AsLongLong(actions);
        }
    }
    drop_error();
    return 0;
}

/* The same, of one that is running: asked once of each code object. */
static inline Actions wanted_of_frame(PyCodeObject *code)
{
    CodeInfo *info = entry_of(code);
    if (UNLIKELY(info == NULL)) {
        return wanted_of(code);
    }
    if (info->probe) {
        return info->probe;
    }
    if (UNLIKELY(!info->asked)) {
        info->wanted = wanted_of(code);
        info->asked = 1;
    }
    return info->wanted;
}

/* Hear these events of a coroutine's code as well (at `awaits`). */
RARE void hear(CodeInfo *info, PyCodeObject *code, long bits)
{
    bits |= info->heard;
    if (bits == info->heard || !R.on) {
        return;
    }
    if (info->muted && bits & ~info->heard & event_bits[B_RESUME]) {
        /* where we said DISABLE it stays off until the event is asked for that was not */
        long all = BITS_OF_ALL_CODE | (R.throws_on ? THROW_BITS : 0);
        set_events(all & ~event_bits[B_RESUME]);
        set_local_events(code, info->heard ^ event_bits[B_START]);
        set_events(all);
        drop_error();
        info->muted = 0;
    }
    info->heard = bits;
    set_local_events(code, bits);
}

RARE void begin_watching(CodeInfo *info, PyCodeObject *code)
{
    if (!R.on) { /* the recording broke off amid this event */
        return;
    }
    info->probe = P_WATCHED | (wanted_of(code) & ROLES);
    set_local_events(code, event_bits[B_RESUME] | event_bits[B_YIELD] | event_bits[B_RETURN]
                               | (R.callees ? event_bits[B_CALL] : 0) | (LOCAL_THROW ? THROW_BITS : 0));
    watch_throws();
    start_watchdog(); /* not before there is a coroutine, and anew after a fork */
}

/* No more events, of all code and of each. 0: they could not be switched off. */
static int switch_off(void)
{
    int done = set_events(0);
    drop_error();
    for (uint32_t i = 0; code_table.buckets != NULL && i <= code_table.mask; i++) {
        for (CodeInfo *info = code_table.buckets[i]; info != NULL; info = info->next) {
            if (info->probe && is_of(info, info->key)) {
                info->probe = 0;
                if (info->muted) { /* or it would be off for who records next */
                    set_local_events(info->key, info->heard ^ event_bits[B_START]);
                }
                set_local_events(info->key, 0);
            }
        }
    }
    return done;
}

/* A coroutine's code: from its first event on we are told of all of them. */
static inline CodeInfo *watch(PyCodeObject *code)
{
    CodeInfo *info = code_of(code);
    if (UNLIKELY(info != NULL && !info->probe)) {
        begin_watching(info, code);
    }
    return info;
}

/* What does an action: `actions` are all that the function was asked for, `value` what it returns (NULL: it is called). */
#define ACTION(name) \
    static void name(Thread *th UNUSED, Frame *f UNUSED, PyCodeObject *code UNUSED, Actions actions UNUSED, PyObject *value UNUSED)
