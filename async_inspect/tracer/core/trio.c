/* trio: its tasks, and who puts them among what it runs next (the twin: tracer/pycore/trio.py). */

/* Whether trio runs on this thread. */
static int runs_trio(void)
{
    PyObject *runner = trio_now(word.runner);
    Py_XDECREF(runner);
    return runner != NULL;
}

/* Whether no trio runs on this thread but as another loop's guest, whose selector is asked on any thread. */
static int is_guest(void)
{
    PyObject *runner = trio_now(word.runner), *guest = runner ? get(runner, word.is_guest) : NULL;
    Py_XDECREF(runner);
    Py_XDECREF(guest);
    return guest != Py_False;
}

/* A moment of trio's clock on ours, if it tells the same time; else 0. */
static uint64_t trio_moment(PyObject *when)
{
    uint64_t ns = 0;
    PyObject *runner = when != NULL && PyFloat_CheckExact(when) && !R.ticks ? trio_now(word.runner) : NULL;
    PyObject *clock = runner ? get(runner, word.clock) : NULL;
    PyObject *offset = clock != NULL && (PyObject *)Py_TYPE(clock) == trio.clock ? get(clock, word.offset) : NULL;
    if (offset != NULL && PyFloat_CheckExact(offset)) {
        double seconds = PyFloat_AS_DOUBLE(when) - PyFloat_AS_DOUBLE(offset);
        ns = seconds > 0 && seconds < 1e10 ? (uint64_t)(seconds * 1e9) : 0;
    }
    Py_XDECREF(offset);
    Py_XDECREF(clock);
    Py_XDECREF(runner);
    return ns;
}

static int by_trio(Thread *th, Frame *g, int step, uint32_t *aux, uint32_t *off)
{
    if (step & P_JOB) {
        *aux = th->job;
        return th->job ? BY_CALLBACK : BY_CODE;
    }
    if (step & P_EXPIRE) {
        uint64_t due = trio_moment(local_of(g, frame_code(g), word.deadline));
        *aux = (uint32_t)due;
        *off = (uint32_t)(due >> 32);
        return BY_TIMER;
    }
    if (step & P_IO) {
        return is_guest() ? BY_CODE : BY_IO;
    }
    PyObject *task = trio_now(word.task);
    int by = is_trio_task(task) ? by_step(th, task, aux) : BY_CODE;
    Py_XDECREF(task);
    return by;
}

static void new_trio_task(Thread *th, Frame *f, PyCodeObject *code, int probe, PyObject *task)
{
    PyObject *made = is_trio_task(task) ? coroutine_of(task) : NULL;
    void *key = coroutine_frame(made);
    if (key != NULL && coroutine_is_new(made)) {
        Coro *known = find(key);
        if (known != NULL) {
            vanish(th, known, 0);
        }
        Coro *c = new_task(key);
        PyObject *name = get(task, word.task_name);
        Frame *caller = below(f);
        PyObject *given = caller ? local_of(caller, frame_code(caller), word.task_name) : NULL;
        if (c != NULL) {
            put_spawn(th, c, f, given == Py_None || given == NULL ? NULL : name);
            if (name != NULL && PyUnicode_CheckExact(name)) {
                c->name_hash = name_hash(name); /* also of trio's making: its end asks whether it is another */
            }
            PyObject *nursery = probe & P_GROUP ? local_of(f, code, word.nursery) : NULL;
            PyObject *owner = nursery ? get(nursery, word.parent_task) : NULL;
            if (is_trio_task(owner)) {
                put_edge(th, coro_of_task(owner, NULL), c);
            }
            Py_XDECREF(owner);
        }
        Py_XDECREF(name);
    }
    Py_XDECREF(made);
}

/* A task was put among what runs next. */
static void put_next(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *task = local_of(f, code, word.task), *made = is_trio_task(task) ? coroutine_of(task) : NULL;
    if (made != NULL && PyCoro_CheckExact(made) && !coroutine_is_new(made)) {
        Coro *c = coro_of_task(task, NULL);
        if (c != NULL && !c->bare) {
            uint32_t aux, off;
            int by = cause(th, f, &aux, &off);
            put_wake(th, c, aux, off, by);
        }
    }
    Py_XDECREF(made);
}

/* What a job is known by: its arguments, made for it alone, or its function. */
static PyObject *job_key(PyObject *function, PyObject *args)
{
    return args != NULL && PyTuple_CheckExact(args) && PyTuple_GET_SIZE(args) ? args : function;
}

/* A job is left for trio to run, mostly by another thread. */
static void leave(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *key = job_key(local_of(f, code, word.sync_fn), local_of(f, code, word.args));
    if (key != NULL) {
        int one = !thing(key, TAG_POSTED); /* two that are alike can't be told apart */
        uint32_t id = put_callback(th, f);
        set_thing(key, TAG_POSTED, one ? id : 0, key);
    }
}

static void job(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *pair = local_of(f, code, word.job);
    th->job = 0;
    if (pair != NULL && PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) == 2) {
        PyObject *key = job_key(PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
        th->job = thing(key, TAG_POSTED);
        forget_thing(key, TAG_POSTED);
    }
}

/* A task has started, and goes over to another nursery with all that is in the one it was started in. */
static void move(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *self = local_of(f, code, word.self);
    PyObject *from = self ? get(self, word.old_nursery) : NULL, *to = self ? get(self, word.new_nursery) : NULL;
    PyObject *owner = to ? get(to, word.parent_task) : NULL, *all = from ? get(from, word.children) : NULL;
    if (is_trio_task(owner)) {
        edges_to_all(th, coro_of_task(owner, NULL), all, 0);
    }
    Py_XDECREF(all);
    Py_XDECREF(owner);
    Py_XDECREF(to);
    Py_XDECREF(from);
}

static void wait_until(Thread *th, Coro *c, PyObject *deadline, uint64_t ts)
{
    uint64_t due = trio_moment(deadline);
    while (c->child != NULL) {
        c = c->child;
    }
    put(th, TIMER, ts, c->id, (uint32_t)due, th->top, (uint32_t)(due >> 32), 0);
}
