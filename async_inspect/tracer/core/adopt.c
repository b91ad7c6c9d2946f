/* What was there before the recording: tasks that wait, as they stand; and what runs on each thread. */

static inline Frame *generator_frame(PyObject *o)
{
#if PY_VERSION_HEX < 0x030E0000
    return (Frame *)((PyGenObject *)o)->gi_iframe;
#else
    return &((struct _PyGenObject *)o)->gi_iframe;
#endif
}

static inline int generator_state(PyObject *o)
{
#if PY_VERSION_HEX < 0x030E0000
    return ((PyGenObject *)o)->gi_frame_state;
#else
    return ((struct _PyGenObject *)o)->gi_frame_state;
#endif
}

static inline int is_generator(PyObject *o) /* all three share their beginning */
{
    return PyCoro_CheckExact(o) || PyGen_CheckExact(o) || PyAsyncGen_CheckExact(o);
}

static int is_step_object(PyObject *o)
{
    static const char *names[] = {"async_generator_asend", "async_generator_athrow", "coroutine_wrapper", "anext_awaitable"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(Py_TYPE(o)->tp_name, names[i]) == 0) {
            return 1;
        }
    }
    return 0;
}

static int pick_inner(PyObject *o, void *found)
{
    if (is_generator(o) || is_step_object(o)) {
        *(PyObject **)found = o; /* borrowed */
        return 1;
    }
    return 0;
}

/* Whom a suspended one awaits (a new reference), or NULL: nobody that runs code. */
static PyObject *awaited_by(PyObject *o)
{
    PyObject *inner = NULL;
    if (is_generator(o)) {
        inner = PyObject_GetAttrString(o, PyCoro_CheckExact(o) ? "cr_await" : PyGen_CheckExact(o) ? "gi_yieldfrom" : "ag_await");
        if (inner == NULL) {
            drop_error();
        }
    }
    else if (is_step_object(o) && Py_TYPE(o)->tp_traverse) {
        Py_TYPE(o)->tp_traverse(o, pick_inner, &inner);
        Py_XINCREF(inner);
    }
    if (inner != NULL && !is_generator(inner) && !is_step_object(inner)) {
        Py_CLEAR(inner);
    }
    return inner;
}

/* Where a suspended frame stands, as the event of its suspension would say. */
static uint32_t suspended_at(CodeInfo *info, Frame *f, PyCodeObject *code)
{
    int lasti = frame_lasti(f, code), i = lasti / 2;
    if (info->stands == NULL) {
        look_at_code(info, code);
    }
    /* from 3.13 on a frame stands after the instruction that suspended it */
    int after = info->stands != NULL && i > 0 && i < info->stands_len && info->stands[i] & 2 && info->stands[i - 1] & 2;
    return (uint32_t)(after ? lasti - 2 : lasti);
}

#if PY_VERSION_HEX < 0x030F0000
#define ENDED FRAME_COMPLETED
#else
#define ENDED FRAME_CLEARED
#endif

/* A task that is made of a step of an async generator. One that waits for a future is the one that drives its generator:
 * any other fails as it begins. Where the generator is in no step this one has not begun. Else it can't be told. */
static void expect_step(PyObject *task, PyObject *step, Frame *f, PyObject *agen)
{
    PyObject *runs = PyObject_GetAttrString(agen, "ag_running"), *waiter = get(task, word.fut_waiter);
    int drives = runs == Py_True && waiter != NULL && waiter != Py_None && generator_state(agen) != FRAME_EXECUTING;
    CodeInfo *info = (drives && find(f) == NULL) || runs == Py_False ? code_of(frame_code(f)) : NULL;
    Coro *c = info != NULL && generator_state(agen) < ENDED && find(STEP_KEY(step)) == NULL ? new_step(step, info) : NULL;
    if (c != NULL) {
        c->state = ST_CREATED;
        c->bare = (uint8_t)!drives;
    }
    drop_error();
    Py_XDECREF(runs);
    Py_XDECREF(waiter);
}

/* A task's root, if it is one that lives and isn't known: made, and not run yet as far as we know. */
static void expect(PyObject *task)
{
    PyObject *made = get(task, word.coro_attr);
    Frame *f = coroutine_frame(made);
    if (f != NULL && generator_state(made) < ENDED && find(f) == NULL) {
        CodeInfo *info = code_of(frame_code(f));
        Coro *c = info ? new_coro(f, info) : NULL;
        if (c != NULL) {
            c->state = ST_CREATED;
            c->is_task = 1;
        }
    }
    else if ((f = agen_frame(made)) != NULL) {
        expect_step(task, made, f, agen_of_frame(f));
    }
    Py_XDECREF(made);
}

/* The coroutines that run on a thread, outermost first. */
static void meet_running(PyThreadState *ts)
{
    Frame *all[MAX_SITE_FRAMES * 8];
    int n = 0;
    for (Frame *f = python_frame(current_frame(ts)); f != NULL && n < (int)(sizeof all / sizeof *all); f = below(f)) {
        PyCodeObject *code = frame_code(f);
        if (code->co_flags & ASYNC_FLAGS) {
            all[n++] = f;
        }
        else if (R.run_code == 0 && wanted_of(code) & P_RUN) {
            CodeInfo *info = code_of(code);
            R.run_code = info != NULL ? info->id : 0;
        }
    }
    Thread *th = n > 0 ? thread_of(ts) : NULL;
    if (th == NULL || th->top != NULL) {
        return;
    }
    while (n-- > 0) {
        Coro *c = find(all[n]);
        watch(frame_code(all[n]));
        if (c == NULL || c->state == ST_CREATED) {
            open_coro(th, all[n], 0, 0);
        }
    }
}

/* What a thread does on which a coroutine runs. */
static void look_at(PyThreadState *ts)
{
    Thread *th = known_thread(ts);
    if (th != NULL && th->session == R.session && th->top != NULL && ts != PyThreadState_Get()) {
        put(th, STACK, now(), th->top->root->id, 0, th->top, site_of(python_frame(current_frame(ts)), 1), 0);
    }
}

/* A task that waits: its chain began before, and is suspended. */
static void meet_suspended(Thread *th, PyObject *task, uint64_t ts)
{
    PyObject *o = get(task, word.coro_attr), *next;
    Frame *f = coroutine_frame(o), *agen = f ? NULL : agen_frame(o);
    Coro *root = f ? find(f) : agen ? find(STEP_KEY(o)) : NULL, *c = NULL;
    if (root == NULL || root->state != ST_CREATED || (f && generator_state(o) == FRAME_EXECUTING) || root->earlier
        || R.unrun == root) {
        Py_XDECREF(o);
        return;
    }
    PyObject *name = task_name(task);
    if (name != NULL && is_made_up(name)) {
        Py_CLEAR(name);
    }
    if (agen && !root->bare) {
        Py_SETREF(o, Py_NewRef(agen_of_frame(agen)));
    }
    if (f ? coroutine_is_new(o) : root->bare) {
        if (agen) {
            root->off = th->index;
            add_unrun(root);
        }
        put(th, SPAWN, ts, root->id, root->code, th->top, 0, BEFORE | (name ? NAME_GIVEN : 0));
        Py_CLEAR(o);
    }
    for (; o != NULL; next = awaited_by(o), Py_DECREF(o), o = next) {
        if (!is_generator(o)) {
            continue;
        }
        f = generator_frame(o);
        PyCodeObject *code = frame_code(f);
        if (!(code->co_flags & ASYNC_FLAGS)) {
            continue;
        }
        CodeInfo *info = watch(code);
        Coro *inner = c == NULL && !agen ? root : find(f) == NULL && info != NULL ? new_coro(f, info) : NULL;
        if (info == NULL || inner == NULL) {
            break;
        }
        inner->awaiter = c;
        inner->root = root;
        inner->node = node_of(c ? c->node : 0, info);
        inner->state = ST_ALIVE;
        inner->role = info->probe & ROLES;
        inner->off = (int)suspended_at(info, f, code);
        if (c != NULL || agen) {
            (c != NULL ? c : root)->child = inner;
        }
        root->state = ST_ALIVE;
        put(th, START, ts, inner->id, c ? c->id : 0, inner, inner->code, BEFORE | (c ? 0 : IS_TASK));
        c = inner;
    }
    Py_XDECREF(o);
    if (name != NULL) {
        put_name(th, root, name, ts, c ? c : th->top);
        Py_DECREF(name);
    }
    if (c == NULL) {
        return;
    }
    PyObject *waiter = get(task, word.fut_waiter);
    int flags = 0;
    uint32_t aux = waiter != NULL ? awaited(waiter, &flags) : 0;
    root->bare = waiter == NULL || waiter == Py_None;
    put(th, SUSPEND, ts, c->id, aux, th->top, (uint32_t)c->off, flags | BEFORE);
    for (Coro *up = c->awaiter; up != NULL; up = up->awaiter) {
        put(th, LINK, ts, up->id, up->child->id, th->top, (uint32_t)up->off, 0);
    }
    for (Coro *one = c; one != NULL; one = one->awaiter) {
        Frame *its = one->frame;
        PyCodeObject *code = frame_code(its);
        if (one->role & (P_USE | P_MANY)) {
            tell_role(th, one, its, code, ts);
        }
        if (R.edges && PyUnicode_CompareWithASCIIString(code->co_qualname, "TaskGroup.__aexit__") == 0) {
            PyObject *group = local_of(its, code, word.self), *members = group ? get(group, word.tasks_attr) : NULL;
            edges_to_all(th, root, members, 0);
            Py_XDECREF(members);
        }
    }
    if (waiter != NULL && waiter != Py_None) {
        PyObject *inner = shielded(waiter), *state = get(waiter, word.state_attr);
        if (inner != NULL) {
            R.shields = 1;
            set_thing(waiter, TAG_SHIELD, 1, waiter);
            Py_DECREF(inner);
        }
        if (R.edges && !flags) {
            edges_of(th, root, waiter);
        }
        if (R.wakes && state != NULL && PyUnicode_Check(state) && PyUnicode_CompareWithASCIIString(state, "PENDING") != 0) {
            put(th, WAKE, now(), root->id, 0, th->top, 0, BY_CODE); /* it runs as soon as the loop comes to it */
        }
        Py_XDECREF(state);
    }
    Py_XDECREF(waiter);
}

/* `tasks`: a list, or anything else for none. */
static void meet_all(PyObject *tasks)
{
    Thread *th = R.on ? this_thread(tstate()) : NULL;
    Py_ssize_t n = tasks != NULL && PyList_CheckExact(tasks) && know_asyncio() ? PyList_GET_SIZE(tasks) : 0;
    if (th == NULL) {
        return;
    }
    for (Py_ssize_t i = 0; i < n; i++) {
        expect(PyList_GET_ITEM(tasks, i));
    }
    PyInterpreterState *interpreter = PyInterpreterState_Get();
    for (PyThreadState *ts = first_state(interpreter); ts != NULL; ts = next_state(ts)) {
        meet_running(ts);
    }
    uint64_t ts = now();
    for (Py_ssize_t i = 0; i < n; i++) {
        meet_suspended(th, PyList_GET_ITEM(tasks, i), ts);
    }
    for (PyThreadState *one = first_state(interpreter); one != NULL; one = next_state(one)) {
        look_at(one);
    }
    drop_error();
}

static PyObject *meet(PyObject *self UNUSED, PyObject *tasks)
{
    meet_all(tasks);
    Py_RETURN_NONE;
}
