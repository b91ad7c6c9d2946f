/* Above coroutines: who wakes whom, who holds what (the twin: tracer/pycore/probes.py). */

/* The coroutine of a Task, as far as it is known and has not ended. */
static Coro *coro_of_task(PyObject *task, void **frame)
{
    PyObject *made = coroutine_of(task);
    void *key = made == NULL || PyCoro_CheckExact(made) ? coroutine_frame(made) : STEP_KEY(made);
    Py_XDECREF(made);
    if (frame != NULL) {
        *frame = key;
    }
    return key ? find(key) : NULL;
}

/* The Task of which a loop's callback is a step (a new reference), or NULL. */
static PyObject *stepped_task(PyObject *callback)
{
    PyTypeObject *cls = Py_TYPE(callback);
    if (cls == &PyCFunction_Type) { /* a C Task's wake-up */
        PyObject *task = PyCFunction_GET_SELF(callback);
        return task != NULL && strcmp(((PyCFunctionObject *)callback)->m_ml->ml_name, "task_wakeup") == 0 ? Py_NewRef(task) : NULL;
    }
    if (cls == &PyMethod_Type) { /* a Python Task's step or wake-up */
        PyObject *function = PyMethod_GET_FUNCTION(callback), *task = PyMethod_GET_SELF(callback);
        if (PyFunction_Check(function)) {
            PyObject *name = ((PyCodeObject *)PyFunction_GET_CODE(function))->co_name;
            if ((PyUnicode_CompareWithASCIIString(name, "__step") == 0 || PyUnicode_CompareWithASCIIString(name, "__wakeup") == 0)
                && is_task(Py_TYPE(task))) {
                return Py_NewRef(task);
            }
        }
        return NULL;
    }
    if (cls != aio.step) {
        if (strcmp(cls->tp_name, "_asyncio.TaskStepMethWrapper") != 0) {
            return NULL;
        }
        aio.step = cls;
    }
    PyObject *task = get(callback, word.self_attr);
    if (task == Py_None) {
        Py_CLEAR(task);
    }
    return task;
}

static int is_function(PyObject *value, const char *qualname)
{
    return value != NULL && PyFunction_Check(value)
           && PyUnicode_CompareWithASCIIString(((PyCodeObject *)PyFunction_GET_CODE(value))->co_qualname, qualname) == 0;
}

/* A loop's time as our clock's, if it tells the same time; else 0. */
static uint64_t moment_of(PyObject *loop, PyObject *when)
{
    uint64_t ns = 0;
    PyObject *clock = loop != NULL && when != NULL && PyFloat_CheckExact(when) && !R.ticks ? get(loop, word.time) : NULL;
    if (clock != NULL && PyMethod_Check(clock) && is_function(PyMethod_GET_FUNCTION(clock), "BaseEventLoop.time")) {
        double seconds = PyFloat_AS_DOUBLE(when);
        ns = seconds > 0 && seconds < 1e10 ? (uint64_t)(seconds * 1e9) : 0;
    }
    Py_XDECREF(clock);
    return ns;
}

/* If `c` is a task of a step of an async generator that is over and never ran, write that. */
static void look_unrun(Thread *th, PyObject *task, Coro *c)
{
    if (c != NULL && c->step && c->state == ST_CREATED && is_task(Py_TYPE(task))) {
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
    PyObject *callback = get(handle, word.callback_attr);
    uint32_t id = callback ? thing(callback, TAG_POSTED) : 0;
    Py_XDECREF(callback);
    if (!id) {
        id = thing(handle, TAG_HANDLE);
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

static int runs_trio(void);
static int by_trio(Thread *th, Frame *g, int step, uint32_t *aux, uint32_t *off);

/* By whom something is put among what a loop runs next: BY_*, with aux and off. `f` is the frame that puts it there. */
static int cause(Thread *th, Frame *f, uint32_t *aux, uint32_t *off)
{
    *aux = *off = 0;
    th->scope = NULL;
    for (Frame *g = below(f); g != NULL; g = below(g)) {
        if (th->top != NULL && th->top->frame == g) {
            return BY_CODE;
        }
        int wanted = wanted_of_frame(frame_code(g)), step = wanted & STEPS;
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
        put(th, CANCEL, ts, c->id, type_of(Py_TYPE(scope)), th->top, thing(scope, TAG_SCOPE), 0);
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

/* A callback was put among what the loop runs next, as `handle`. */
static void soon(Thread *th, Frame *f, PyCodeObject *code, int probe, PyObject *handle)
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
        uint32_t known = probe & P_POST ? thing(callback, TAG_POSTED) : 0;
        if (known) {
            forget_thing(callback, TAG_POSTED);
        }
        set_thing(handle, TAG_HANDLE, known ? known : put_callback(th, f), handle);
    }
}

/* A callback is about to be put there, where another thread may run it at once. */
static void post(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *callback = local_of(f, code, word.callback), *task = callback ? stepped_task(callback) : NULL;
    if (callback != NULL && task == NULL) {
        set_thing(callback, TAG_POSTED, put_callback(th, f), callback);
    }
    Py_XDECREF(task);
}

/* The selector, or a signal, says that a handle's callback is to run. */
static void ready(Frame *f, PyCodeObject *code)
{
    PyObject *handle = local_of(f, code, word.handle);
    Frame *caller = below(f);
    if (handle != NULL && caller != NULL) {
        int io = PyUnicode_Tailmatch(frame_code(caller)->co_name, word.process_events, 0, PY_SSIZE_T_MAX, 1) == 1;
        set_thing(handle, TAG_HANDLE, io ? HANDLE_IO : HANDLE_SIGNAL, handle);
    }
}

/* A timer is set: for whom, is seen when that suspends. */
static void timer(Thread *th, Frame *f, PyCodeObject *code)
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
        if (PyUnicode_CompareWithASCIIString(frame_code(caller)->co_qualname, "BaseEventLoop._run_once") == 0) {
            return 1;
        }
    }
    return 0;
}

static void asks_selector(Thread *th, Frame *f, PyCodeObject *code)
{
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

static void selector_answered(Thread *th)
{
    if (th->asked) {
        put(th, SELECT, now(), 0, (uint32_t)th->asked, th->top, (uint32_t)(th->asked >> 32), th->idle ? IDLE : 0);
        th->asked = 0;
    }
}

static uint32_t define_resource(PyObject *object, uint32_t site)
{
    uint32_t type = type_of(Py_TYPE(object)), id = ++R.resources;
    put_definition(RESOURCE, id, type, site, 0, 0);
    set_thing(object, TAG_RESOURCE, id, object);
    return id;
}

static uint32_t resource_for(PyObject *object)
{
    uint32_t id = thing(object, TAG_RESOURCE);
    return id ? id : define_resource(object, 0);
}

/* The id of what a method is called on; 0: not to be found. */
static uint32_t resource_of(Frame *f, PyCodeObject *code)
{
    PyObject *object = local_of(f, code, word.self);
    return object ? resource_for(object) : 0;
}

static void give(Thread *th, Frame *f, PyCodeObject *code)
{
    uint32_t resource = resource_of(f, code);
    if (resource) {
        put(th, GIVE, now(), th->top ? th->top->root->id : 0, resource, th->top, 0, 0);
    }
}

static void take(Thread *th, Coro *c, Frame *f, PyCodeObject *code)
{
    PyObject *object = local_of(f, code, word.self), *lock = object && trio.task ? get(object, word.lock) : NULL;
    uint32_t resource = lock != NULL ? resource_for(lock) : object != NULL ? resource_for(object) : 0;
    Py_XDECREF(lock);
    if (resource) {
        uint32_t site = site_of(below(f), 0);
        put(th, TAKE, now(), c->root->id, resource, c, site, 0);
    }
}

/* The local variable that holds what a function waits for all of. */
static PyObject *many_of(Frame *f, PyCodeObject *code)
{
    PyObject *todo = local_of(f, code, word.todo);
    return todo != NULL ? todo : local_of(f, code, word.fs);
}

/* A generator: whom it waits for is known when it first yields. */
static void begins(Thread *th, Frame *f)
{
    int n = 0;
    for (int i = 0; i < th->fresh_count; i++) { /* one that raised before it yielded is not on the stack any more */
        Frame *g = below(f);
        while (g != NULL && g != th->fresh[i]) {
            g = below(g);
        }
        if (g != NULL) {
            th->fresh[n++] = g;
        }
    }
    th->fresh_count = n;
    if (n < MAX_FRESH) {
        th->fresh[th->fresh_count++] = f;
    }
    else {
        lose();
    }
}

/* Whether it was fresh, which it is no more. */
static int was_fresh(Thread *th, Frame *f)
{
    for (int i = th->fresh_count - 1; i >= 0; i--) {
        if (th->fresh[i] == f) {
            th->fresh_count = i;
            return 1;
        }
    }
    return 0;
}

static void put_edge(Thread *th, Coro *waits, Coro *awaited)
{
    if (waits != NULL && awaited != NULL && waits != awaited) {
        put(th, EDGE, now(), waits->id, awaited->id, th->top, 0, 0);
    }
}

static void edges_to(Thread *th, Coro *waits, PyObject *value, int depth);

static void edges_to_all(Thread *th, Coro *waits, PyObject *many, int depth)
{
    if (many == NULL || !(PyList_CheckExact(many) || PyAnySet_CheckExact(many) || PyTuple_CheckExact(many))) {
        return;
    }
    PyObject *all = PySequence_Tuple(many);
    for (Py_ssize_t i = 0; all != NULL && i < PyTuple_GET_SIZE(all); i++) {
        edges_to(th, waits, PyTuple_GET_ITEM(all, i), depth);
    }
    Py_XDECREF(all);
    drop_error();
}

/* The inner future of shield()'s outer one. */
static PyObject *shielded(PyObject *outer)
{
    PyObject *all = get(outer, word.callbacks), *inner = NULL;
    for (Py_ssize_t i = 0; all != NULL && PyList_CheckExact(all) && i < PyList_GET_SIZE(all); i++) {
        PyObject *pair = PyList_GET_ITEM(all, i);
        PyObject *done = PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) ? PyTuple_GET_ITEM(pair, 0) : NULL;
        if (is_function(done, "shield.<locals>._outer_done_callback")) {
            PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(done);
            PyObject *cells = PyFunction_GET_CLOSURE(done);
            Py_ssize_t first = code->co_nlocalsplus - code->co_nfreevars; /* where the names of the cells begin */
            for (Py_ssize_t k = 0; cells != NULL && inner == NULL && k < code->co_nfreevars; k++) {
                if (PyTuple_GET_ITEM(code->co_localsplusnames, first + k) == word.inner) {
                    inner = Py_XNewRef(((PyCellObject *)PyTuple_GET_ITEM(cells, k))->ob_ref);
                }
            }
        }
    }
    Py_XDECREF(all);
    return inner;
}

/* `waits` awaits `value`, which may gather others. */
static void edges_to(Thread *th, Coro *waits, PyObject *value, int depth)
{
    if (depth > MAX_GATHERED) {
        return;
    }
    if (is_task(Py_TYPE(value)) || is_trio_task(value)) {
        put_edge(th, waits, coro_of_task(value, NULL));
    }
    else if ((PyObject *)Py_TYPE(value) == aio.gathering) {
        PyObject *children = get(value, word.children);
        edges_to_all(th, waits, children, depth + 1);
        Py_XDECREF(children);
    }
    else if (R.shields && thing(value, TAG_SHIELD)) {
        PyObject *inner = shielded(value);
        if (inner != NULL) {
            edges_to(th, waits, inner, depth + 1);
            Py_DECREF(inner);
        }
    }
}

static void wait_until(Thread *th, Coro *c, PyObject *deadline, uint64_t ts);

/* What a suspended coroutine's own code says of the suspension, when it first waits. */
static void tell_role(Thread *th, Coro *c, Frame *f, PyCodeObject *code, uint64_t ts)
{
    if (c->role & P_USE) {
        uint32_t resource = resource_of(f, code);
        if (resource) {
            put(th, USE, ts, c->id, resource, th->top, 0, 0);
        }
    }
    if (c->role & P_MANY) {
        edges_to_all(th, c->root, many_of(f, code), 0);
    }
    if (c->role & P_CHILDREN) {
        PyObject *group = local_of(f, code, word.self), *all = group ? get(group, word.children) : NULL;
        edges_to_all(th, c->root, all, 0);
        Py_XDECREF(all);
    }
    if (c->role & P_UNTIL) {
        wait_until(th, c, local_of(f, code, word.deadline), ts);
    }
    c->role &= ~TOLD;
}

static void never_awaited(Thread *th, Frame *f, PyCodeObject *code)
{
    Frame *made = coroutine_frame(local_of(f, code, word.coro));
    CodeInfo *info = made != NULL ? code_of(frame_code(made)) : NULL;
    if (info != NULL) {
        uint32_t site = site_of(below(f), 0);
        put(th, TROUBLE, now(), 0, info->id, th->top, site, NEVER_AWAITED);
    }
}

/* A loop's exception handler is called: asyncio found that a task failed unheard, or is gone. */
static void handler(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *context = local_of(f, code, word.context);
    PyObject *message = context != NULL && PyDict_CheckExact(context) ? item(context, word.message) : NULL;
    if (message == NULL || !PyUnicode_CheckExact(message)) {
        return;
    }
    int gone = PyUnicode_CompareWithASCIIString(message, "Task was destroyed but it is pending!") == 0;
    if (!gone && PyUnicode_Tailmatch(message, word.never_retrieved, 0, PY_SSIZE_T_MAX, 1) != 1) {
        drop_error();
        return;
    }
    PyObject *task = item(context, gone ? word.task : word.future);
    PyObject *exc = gone ? NULL : item(context, word.exception);
    void *frame = NULL;
    Coro *c = task != NULL && is_task(Py_TYPE(task)) ? coro_of_task(task, &frame) : NULL;
    uint32_t id = c != NULL ? c->id : frame != NULL ? thing(frame, TAG_TASK) : 0;
    look_unrun(th, task, c);
    uint32_t type = exc != NULL ? type_of(Py_TYPE(exc)) : 0;
    put(th, TROUBLE, now(), id, type, th->top, 0, gone ? DESTROYED : NEVER_RETRIEVED);
}

static void put_next(Thread *th, Frame *f, PyCodeObject *code);
static void leave(Thread *th, Frame *f, PyCodeObject *code);
static void job(Thread *th, Frame *f, PyCodeObject *code);
static void move(Thread *th, Frame *f, PyCodeObject *code);
static void new_trio_task(Thread *th, Frame *f, PyCodeObject *code, int probe, PyObject *task);
static int is_guest(void);

static PyObject *process_hook; /* whom P_PROCESS calls; NULL: nobody */

static PyObject *on_process(PyObject *self UNUSED, PyObject *hook)
{
    Py_XSETREF(process_hook, hook == Py_None ? NULL : Py_NewRef(hook));
    Py_RETURN_NONE;
}

/* A process was started. Events of what we call are off while we are called. */
static void process(void)
{
    PyFrameObject *frame = process_hook ? PyThreadState_GetFrame(PyThreadState_Get()) : NULL;
    if (frame != NULL) {
        Py_XDECREF(PyObject_CallOneArg(process_hook, (PyObject *)frame));
        drop_error();
        Py_DECREF(frame);
    }
}

/* A function that a source asked for is called. */
static void probe_start(Thread *th, Frame *f, PyCodeObject *code, int probe)
{
    if (probe & P_SPAWN) {
        spawn(th, f, code);
        if (probe & P_GROUP && th->spawned != NULL) {
            PyObject *group = local_of(f, code, word.self), *owner = group ? get(group, word.parent_task) : NULL;
            if (owner != NULL && is_task(Py_TYPE(owner))) {
                put_edge(th, coro_of_task(owner, NULL), th->spawned);
            }
            Py_XDECREF(owner);
        }
    }
    else if (probe & P_READY) {
        ready(f, code);
    }
    else if (probe & P_TIMER) {
        timer(th, f, code);
    }
    else if (probe & P_SELECT) {
        if (!(probe & P_ALONE && is_guest())) {
            asks_selector(th, f, code);
        }
    }
    else if (probe & P_MADE) {
        PyObject *object = local_of(f, code, word.self);
        if (object != NULL && probe & P_SCOPE) {
            set_thing(object, TAG_SCOPE, site_of(below(f), 0), object);
        }
        else if (object != NULL) {
            define_resource(object, site_of(below(f), 0));
        }
    }
    else if (probe & P_GIVE) {
        give(th, f, code);
    }
    else if (probe & P_NEVER) {
        never_awaited(th, f, code);
    }
    else if (probe & P_HANDLER) {
        handler(th, f, code);
    }
    else if (probe & P_POST) {
        post(th, f, code);
    }
    else if (probe & P_PUT) {
        put_next(th, f, code);
    }
    else if (probe & P_LEAVE) {
        leave(th, f, code);
    }
    else if (probe & P_JOB) {
        job(th, f, code);
    }
    else if (probe & P_MOVE) {
        move(th, f, code);
    }
    else if (probe & P_MANY) {
        begins(th, f);
    }
}

/* A task of asyncio's was made in a task group of anyio's. */
static void member(Thread *th, Frame *f, PyCodeObject *code)
{
    PyObject *group = local_of(f, code, word.self), *task = local_of(f, code, word.task);
    PyObject *scope = group ? get(group, word.cancel_scope) : NULL, *owner = scope ? get(scope, word.host_task) : NULL;
    if (owner != NULL && task != NULL && is_task(Py_TYPE(owner)) && is_task(Py_TYPE(task))) {
        Coro *c = coro_of_task(task, NULL);
        if (c != NULL) {
            put_edge(th, coro_of_task(owner, NULL), c);
        }
    }
    Py_XDECREF(owner);
    Py_XDECREF(scope);
}

/* ... and returns. */
static void probe_return(Thread *th, Frame *f, PyCodeObject *code, int probe, PyObject *value)
{
    if (probe & P_SPAWN) {
        look_unrun(th, value, th->spawned); /* an eager one that is over has forgotten what it ran */
    }
    else if (probe & P_SOON) {
        soon(th, f, code, probe, value);
    }
    else if (probe & P_SELECT) {
        selector_answered(th);
    }
    else if (probe & P_SHIELD) {
        if (local_of(f, code, word.inner) != value) {
            R.shields = 1;
            set_thing(value, TAG_SHIELD, 1, value);
        }
    }
    else if (probe & P_TASK) {
        new_trio_task(th, f, code, probe, value);
    }
    else if (probe & P_TAKE) {
        Coro *c = th->top;
        if (c != NULL) {
            take(th, c, f, code);
            if (c->frame == below(f)) {
                c->role &= ~P_TAKE; /* it needn't say so again */
            }
        }
    }
    else if (probe & P_PROCESS) {
        process();
    }
    else if (probe & P_MEMBER) {
        member(th, f, code);
    }
    else if (probe & P_MANY) {
        if (code->co_flags & CO_GENERATOR) {
            was_fresh(th, f);
        }
        else if (th->top != NULL) {
            edges_to_all(th, th->top->root, many_of(f, code), 0);
        }
    }
}

/* Whether what is yielded asks for nothing but to go on. */
static inline int is_bare(PyObject *value)
{
    return value == Py_None || UNLIKELY(PyType_CheckExact(value) && know_trio() && value == trio.checkpoint);
}

/* What a suspended leaf yielded, as SUSPEND's aux and flags. */
static inline uint32_t awaited(PyObject *value, int *flags)
{
    *flags = 0;
    if (is_bare(value)) {
        return 0;
    }
    if (LIKELY((PyObject *)Py_TYPE(value) == aio.future && R.future_string)) {
        return R.future_string;
    }
    if (is_task(Py_TYPE(value))) {
        Coro *c = coro_of_task(value, NULL);
        if (c != NULL) {
            *flags = AWAITS_TASK;
            return c->id;
        }
    }
    uint32_t id = type_of(Py_TYPE(value));
    if ((PyObject *)Py_TYPE(value) == aio.future) {
        R.future_string = id;
    }
    return id;
}

static void edges_of(Thread *th, Coro *root, PyObject *value)
{
    if (aio.gathering == NULL) {
        aio.gathering = module_attr("asyncio.tasks", "_GatheringFuture");
    }
    edges_to(th, root, value, 0);
}
