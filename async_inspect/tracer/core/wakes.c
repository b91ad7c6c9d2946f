/* Who puts a task among what a loop runs next, and on whose behalf (the twin: pycore/probes.py, "who wakes whom").
 *
 * Knows what each action reads off the function that was called. Knows nothing of which functions these are. */

/* If `c` is a task of a step of an async generator that is over, and nothing said so, write that: it never ran, or what ran in
 * its step was the generator's end, and not on its behalf. */
static void look_unrun(Thread *th, PyObject *task, Coro *c)
{
    if (c != NULL && c->step && is_task(Py_TYPE(task))) {
        finish_unrun(th, c, task);
    }
}

/* By the step of a task whose coroutine runs no more. */
static int by_step(Thread *th, PyObject *task, uint32_t *aux)
{
    void *frame;
    Coro *c = coro_of_task(task, &frame);
    look_unrun(th, task, c);
    *aux = c != NULL ? c->id : frame != NULL && frame == th->ended ? th->ended_id : 0;
    return *aux ? BY_TASK : BY_CODE;
}

/* By what the loop runs as this handle, which is no step of a task. */
static int by_handle(PyObject *handle, uint32_t *aux, uint32_t *off)
{
    if (handle == NULL) {
        return BY_CODE;
    }
    if (aio.timer_handle == NULL) {
        aio.timer_handle = module_attr("asyncio.events", "TimerHandle");
    }
    if ((PyObject *)Py_TYPE(handle) == aio.timer_handle) {
        PyObject *when = get(handle, word.when_attr), *loop = get(handle, word.loop_attr);
        uint64_t due = moment_of(loop, when);
        Py_XDECREF(when);
        Py_XDECREF(loop);
        *aux = (uint32_t)due;
        *off = (uint32_t)(due >> 32);
        return BY_TIMER;
    }
    /* What was posted comes first: of its handle's address we may know what was there before. */
    PyObject *callback = callback_of(handle);
    uint32_t id = callback ? recall(callback, TAG_POSTED) : 0;
    Py_XDECREF(callback);
    if (!id) {
        id = recall_handle(handle);
    }
    if (id == HANDLE_IO) {
        return BY_IO;
    }
    if (id == HANDLE_SIGNAL) {
        return BY_SIGNAL;
    }
    *aux = id;
    return id ? BY_CALLBACK : BY_CODE;
}

static int by_trio(Thread *th, Frame *g, Actions step, uint32_t *aux, uint32_t *off)
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

/* By whom something is put among what a loop runs next: BY_*, with aux and off. `f` is the frame that puts it there. */
static int cause(Thread *th, Frame *f, uint32_t *aux, uint32_t *off)
{
    *aux = *off = 0;
    th->scope = NULL;
    for (Frame *g = below(f); g != NULL; g = below(g)) {
        if (th->top != NULL && (th->top->frame == g || (R.awaits && frame_code(g)->co_flags & ASYNC_FLAGS))) {
            return BY_CODE; /* where only roots are heard, whatever of a chain runs is of the one that runs */
        }
        Actions wanted = wanted_of_frame(frame_code(g)), step = wanted & STEPS;
        if (wanted & P_SCOPE && !(wanted & P_MADE) && th->scope == NULL) {
            PyObject *origin = local_of(g, frame_code(g), word.origin);
            th->scope = origin ? origin : local_of(g, frame_code(g), word.self);
        }
        if (step & P_SIGNAL) {
            return BY_SIGNAL;
        }
        if (step & P_RUN) {
            PyObject *task = current_task();
            if (task != NULL) {
                int by = by_step(th, task, aux);
                Py_DECREF(task);
                return by;
            }
            return by_handle(local_of(g, frame_code(g), word.self), aux, off);
        }
        if (step) {
            return by_trio(th, g, step, aux, off);
        }
    }
    return wanted_of_frame(frame_code(f)) & (P_POST | P_LEAVE) && th->top == NULL && !runs_trio() ? BY_THREAD : BY_CODE;
}

/* A suspended task was put among what runs next, for a cause() that was just found. */
static void put_wake(Thread *th, Coro *c, uint32_t aux, uint32_t off, int by)
{
    PyObject *scope = th->scope;
    uint64_t ts = now();
    put(th, WAKE, ts, c->id, aux, th->top, off, by);
    if (scope != NULL) {
        put(th, CANCEL, ts, c->id, type_of(Py_TYPE(scope)), th->top, recall(scope, TAG_SCOPE), 0);
        th->scope = NULL;
    }
}

static uint32_t put_callback(Thread *th, Frame *f)
{
    uint32_t aux, off;
    int by = cause(th, f, &aux, &off);
    put(th, SOON, now(), ++R.callbacks, aux, th->top, off, by);
    return R.callbacks;
}

/* A callback was put among what the loop runs next, as the handle that is returned. */
ACTION(soon)
{
    PyObject *callback = local_of(f, code, word.callback);
    if (callback == NULL) {
        return;
    }
    PyObject *task = stepped_task(callback);
    if (task != NULL) {
        Coro *c = coro_of_task(task, NULL);
        Py_DECREF(task);
        if (c != NULL && c->state != ST_CREATED && !c->bare) {
            uint32_t aux, off;
            int by = cause(th, f, &aux, &off);
            put_wake(th, c, aux, off, by);
        }
    }
    else {
        uint32_t known = actions & P_POST ? recall(callback, TAG_POSTED) : 0;
        if (known) {
            forget(callback, TAG_POSTED);
        }
        remember_handle(value, known ? known : put_callback(th, f));
    }
}

/* A callback is about to be put there, where another thread may run it at once. */
ACTION(post)
{
    PyObject *callback = local_of(f, code, word.callback), *task = callback ? stepped_task(callback) : NULL;
    if (callback != NULL && task == NULL) {
        remember(callback, TAG_POSTED, put_callback(th, f), callback);
    }
    Py_XDECREF(task);
}

/* The selector, or a signal, says that a handle's callback is to run. */
ACTION(ready)
{
    PyObject *handle = local_of(f, code, word.handle);
    Frame *caller = below(f);
    if (handle != NULL && caller != NULL) {
        int io = PyUnicode_Tailmatch(frame_code(caller)->co_name, word.process_events, 0, PY_SSIZE_T_MAX, 1) == 1;
        remember_handle(handle, io ? HANDLE_IO : HANDLE_SIGNAL);
    }
}

/* A timer is set: for whom, is seen when that suspends. */
ACTION(timer)
{
    PyObject *args = local_of(f, code, word.args);
    if (is_function(local_of(f, code, word.callback), "_set_result_unless_cancelled") && args != NULL
        && PyTuple_CheckExact(args) && PyTuple_GET_SIZE(args) > 0) {
        th->sleeper = PyTuple_GET_ITEM(args, 0);
        th->due = moment_of(local_of(f, code, word.self), local_of(f, code, word.when));
    }
}

/* Whether it is a loop that asks its selector, itself or by way of a selector of the program's. */
static int asked_by_loop(Frame *f)
{
    Frame *caller = below(f);
    for (int i = 0; i < 4 && caller != NULL; i++, caller = below(caller)) {
        if (says(frame_code(caller)->co_qualname, "BaseEventLoop._run_once")) {
            return 1;
        }
    }
    return 0;
}

ACTION(ask_selector)
{
    if (actions & P_ALONE && is_guest()) {
        return;
    }
    PyObject *timeout = local_of(f, code, word.timeout);
    /* only built-in numbers are looked at: a zero lets it return at once */
    th->idle = !(timeout != NULL && ((PyLong_CheckExact(timeout) && PyLong_AsLong(timeout) <= 0)
                                     || (PyFloat_CheckExact(timeout) && PyFloat_AS_DOUBLE(timeout) <= 0)));
    drop_error();
    if (R.unrun != NULL && asked_by_loop(f)) {
        had_turns(th);
    }
    th->asked = now();
}

ACTION(selector_answers)
{
    if (th->asked) {
        put(th, SELECT, now(), 0, (uint32_t)th->asked, th->top, (uint32_t)(th->asked >> 32), th->idle ? IDLE : 0);
        th->asked = 0;
    }
}
