/* What of each code object sys.monitoring is asked for. */

enum { B_START, B_RESUME, B_YIELD, B_RETURN, B_UNWIND, B_THROW, B_CALL, EVENTS };
static long event_bits[EVENTS]; /* as sys.monitoring has them ... */
static PyObject *event_objects[EVENTS]; /* ... and the same as objects */
#define LOCAL_THROW (PY_VERSION_HEX >= 0x030F0000) /* before, these two can only be set for all code */
#define THROW_BITS (event_bits[B_UNWIND] | event_bits[B_THROW])
/* set for all code, to meet each once: plain code then says DISABLE; what began before the recording is met resumed */
#define MEET_BITS (event_bits[B_START] | event_bits[B_RESUME] | (LOCAL_THROW ? event_bits[B_THROW] : 0))

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
        R.throws_on = set_events(MEET_BITS | THROW_BITS);
        drop_error();
    }
}

static void start_watchdog(void);

/* What a source wants to know of this function: P_*, by its name and file. */
static int wanted_of(PyCodeObject *code)
{
    PyObject *name = exact(code->co_qualname), *wanted = name ? PyDict_GetItemWithError(probes, name) : NULL;
    Py_XDECREF(name);
    for (Py_ssize_t i = 0; wanted != NULL && i < PyList_GET_SIZE(wanted); i++) {
        PyObject *pair = PyList_GET_ITEM(wanted, i);
        if (PyUnicode_Tailmatch(code->co_filename, PyTuple_GET_ITEM(pair, 0), 0, PY_SSIZE_T_MAX, 1) == 1) {
            return (int)PyLong_AsLong(PyTuple_GET_ITEM(pair, 1));
        }
    }
    drop_error();
    return 0;
}

/* The same, of one that is running. */
static int wanted_of_frame(PyCodeObject *code)
{
    CodeInfo *info = known_code(code);
    return info != NULL && info->probe ? info->probe : wanted_of(code);
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
            if (R.site_map.used >= MAX_SITES) { /* mostly of code that is made anew for ever; what comes again is defined again */
                map_clear(&R.site_map);
            }
            if (!map_set(&R.site_map, inner, info->id, (uint32_t)lasti, R.sites + 1)) {
                return inner;
            }
            site = ++R.sites;
            put_definition(SITE, site, inner, (uint32_t)lasti, 0, info->id);
        }
        if (whole ? info->id == R.run_code : info->ends_stack) {
            break;
        }
    }
    return site;
}

/* A coroutine that is being made a task, by its frame. */
static Coro *new_task(void *key)
{
    CodeInfo *info = code_of(frame_code((Frame *)key));
    Coro *c = info ? new_coro(key, info) : NULL;
    if (c != NULL) {
        c->state = ST_CREATED;
        c->is_task = 1;
    }
    return c;
}

static void put_spawn(Thread *th, Coro *c, Frame *f, PyObject *name)
{
    uint32_t site = site_of(below(f), 0);
    uint64_t ts = now();
    put(th, SPAWN, ts, c->id, c->code, th->top, site, name ? NAME_GIVEN : 0);
    if (name != NULL && PyUnicode_CheckExact(name)) {
        put_name(th, c, name, ts, th->top);
    }
}

/* The same of a step of an async generator. */
static Coro *new_step_task(PyObject *step, Frame *f)
{
    CodeInfo *info = code_of(frame_code(f));
    Coro *task = info ? new_step(step, info) : NULL;
    if (task != NULL) {
        task->state = ST_CREATED;
    }
    return task;
}

/* The name that a call of create_task gives: borrowed, or NULL. */
static PyObject *given_name(Frame *f, PyCodeObject *code)
{
    PyObject *name = local_of(f, code, word.task_name);
    if (name == NULL || name == Py_None) {
        PyObject *more = local_of(f, code, word.kwargs);
        name = more != NULL && PyDict_CheckExact(more) ? item(more, word.task_name) : NULL;
    }
    return name == Py_None ? NULL : name;
}

/* A function whose argument `coro` is being made a task was called. */
static void spawn(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *made = local_of(f, code, word.coro);
    void *key = coroutine_frame(made);
    Frame *agen = key ? NULL : agen_frame(made);
    Coro *known = key ? find(key) : agen ? find(STEP_KEY(made)) : NULL;
    if (known != NULL && known == th->spawned && below(f) == th->spawner) {
        return; /* one call of create_task inside another */
    }
    forget_spawned(th);
    if (key ? !coroutine_is_new(made) : agen == NULL) {
        if (known != NULL && known->state == ST_ALIVE && known->awaiter == NULL && !known->is_task) {
            known->state = ST_ADOPTED; /* its next step is the task's */
        }
        return;
    }
    if (known != NULL) {
        vanish(th, known, 0);
    }
    Coro *c = agen ? new_step_task(made, agen) : new_task(key);
    if (c != NULL) {
        put_spawn(th, c, f, given_name(f, code));
        if (agen != NULL) {
            c->off = th->index;
            add_unrun(c);
        }
        R.spawning++;
        th->spawned = c;
        th->spawner = f;
    }
}
