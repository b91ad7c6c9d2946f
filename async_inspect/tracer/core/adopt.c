/* What was there before the recording: tasks that wait, as they stand; and what runs on each thread (the twin:
 * pycore/adopt.py).
 *
 * Knows how to walk from a task's root to what it waits for, and the records that say so, at one moment: nothing here runs
 * Python code, so that nobody else runs meanwhile. Does not know how tasks are found (tracer/existing.py). */

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
static void adopt_running(PyThreadState *ts)
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
        if (R.awaits) {
            if ((c == NULL || c->state == ST_CREATED) && frame_awaiting(all[n], 0) == NULL) {
                open_root(th, all[n], 0, 0);
            }
            continue;
        }
        watch(frame_code(all[n]));
        if (c == NULL || c->state == ST_CREATED) {
            open_coro(th, all[n], 0, 0);
        }
    }
}

/* What a thread does on which a coroutine runs. */
static void put_stack(PyThreadState *ts)
{
    Thread *th = known_thread(ts);
    if (th != NULL && th->session == R.session && th->top != NULL && ts != PyThreadState_Get()) {
        put(th, STACK, now(), th->top->root->id, 0, th->top, site_of(python_frame(current_frame(ts)), 1), 0);
    }
}

/* Whether an object is not in a set of addresses, in which it is then. */
static int is_first(PyObject *seen, PyObject *o)
{
    PyObject *address = PyLong_FromVoidPtr(o);
    Py_ssize_t before = seen != NULL ? PySet_GET_SIZE(seen) : 0;
    int first = seen == NULL || address == NULL || PySet_Add(seen, address) != 0 || PySet_GET_SIZE(seen) > before;
    Py_XDECREF(address);
    drop_error();
    return first;
}

/* A frame may wait for a group of tasks. */
static void edges_of_group(Thread *th, Coro *root, Frame *f)
{
    PyCodeObject *code = frame_code(f);
    if (R.edges && PyUnicode_CompareWithASCIIString(code->co_qualname, "TaskGroup.__aexit__") == 0) {
        PyObject *group = local_of(f, code, word.self), *members = group ? get(group, word.tasks_attr) : NULL;
        edges_to_all(th, root, members, 0);
        Py_XDECREF(members);
    }
}

/* A task that waits: its chain began before, and is suspended. `asked`: the futures of which it is known whether they stand
 * for another, which takes as long as many wait for them. */
static void adopt_suspended(Thread *th, PyObject *task, uint64_t ts, PyObject *asked)
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
        CodeInfo *info = R.awaits ? root_code(code) : watch(code);
        Coro *inner = c == NULL && !agen ? root : find(f) == NULL && info != NULL ? new_coro(f, info) : NULL;
        if (info == NULL || inner == NULL) {
            break;
        }
        set_awaiter(inner, c);
        inner->root = root;
        inner->node = node_of(c ? c->node : 0, info);
        inner->state = ST_ALIVE;
        inner->role = info->probe & ROLES;
        inner->off = (int)suspended_at(info, f, code);
        if (c != NULL || agen) {
            set_child(c != NULL ? c : root, inner);
        }
        root->state = ST_ALIVE;
        put(th, START, ts, inner->id, c ? c->id : 0, inner, inner->code, BEFORE | (c ? 0 : IS_TASK));
        c = inner;
        if (R.awaits) {
            Py_CLEAR(o);
            break;
        }
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
    uint32_t chain = R.awaits ? chain_at(c, NULL, 0) : 0;
    put(th, SUSPEND, ts, c->id, aux, th->top, R.awaits ? chain : (uint32_t)c->off, flags | BEFORE | (R.awaits ? IN_CHAIN : 0));
    for (Coro *up = c->awaiter; up != NULL; up = up->awaiter) {
        put(th, LINK, ts, up->id, up->child->id, th->top, (uint32_t)up->off, 0);
    }
    if (R.awaits) {
        if (c->roles) {
            tell_roles(th, c, NULL, 0, ts);
        }
        for (f = c->frame; f != NULL; f = frame_inside(f, frame_code(f), NULL, 0)) {
            edges_of_group(th, root, f);
        }
    }
    else {
        for (Coro *one = c; one != NULL; one = one->awaiter) {
            if (one->role & (P_USE | P_MANY)) {
                record_wait_target(th, one, one->frame, frame_code(one->frame), ts);
            }
            edges_of_group(th, root, one->frame);
        }
    }
    if (waiter != NULL && waiter != Py_None) {
        PyObject *inner = is_first(asked, waiter) ? shielded(waiter) : NULL, *state = get(waiter, word.state_attr);
        if (inner != NULL) {
            R.shields = 1;
            remember(waiter, TAG_SHIELD, 1, waiter);
            Py_DECREF(inner);
        }
        if (R.edges && !flags) {
            edges_of(th, root, waiter);
        }
        if (R.wakes && state != NULL && PyUnicode_Check(state) && PyUnicode_CompareWithASCIIString(state, "PENDING") != 0) {
            put(th, WAKE, ts, root->id, 0, th->top, 0, BY_CODE); /* it runs as soon as the loop comes to it */
        }
        Py_XDECREF(state);
    }
    Py_XDECREF(waiter);
}

/* `tasks`: a list, or anything else for none. */
static void adopt_all(PyObject *tasks)
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
        adopt_running(ts);
    }
    th->moment = now();
    PyObject *asked = PySet_New(NULL);
    for (Py_ssize_t i = 0; i < n; i++) {
        adopt_suspended(th, PyList_GET_ITEM(tasks, i), th->moment, asked);
    }
    th->moment = 0;
    Py_XDECREF(asked);
    for (PyThreadState *one = first_state(interpreter); one != NULL; one = next_state(one)) {
        put_stack(one);
    }
    drop_error();
}

static PyObject *adopt(PyObject *self UNUSED, PyObject *tasks)
{
    adopt_all(tasks);
    Py_RETURN_NONE;
}
