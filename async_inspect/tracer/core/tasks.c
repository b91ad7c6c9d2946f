/* A coroutine, or a step of an async generator, is made a task of asyncio's (the twin: pycore/probes.py, "tasks").
 *
 * Knows who made it, where, and its name. Knows nothing of when it runs. */

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
        PyObject *more = code->co_flags & CO_VARKEYWORDS ? local_of(f, code, word.kwargs) : NULL;
        name = more != NULL && PyDict_CheckExact(more) ? item(more, word.task_name) : NULL;
    }
    return name == Py_None ? NULL : name;
}

/* A function whose argument `coro` is being made a task was called. */
static void make_task(Thread *th, Frame *f, PyCodeObject *code)
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
        else if (R.awaits && known == NULL && key != NULL) {
            root_code(frame_code((Frame *)key)); /* it was awaited until now */
        }
        return;
    }
    if (known != NULL) {
        vanish_chain(th, known);
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

ACTION(spawn)
{
    make_task(th, f, code);
    if (actions & P_GROUP && th->spawned != NULL) {
        PyObject *group = local_of(f, code, word.self), *owner = group ? get(group, word.parent_task) : NULL;
        if (owner != NULL && is_task(Py_TYPE(owner))) {
            put_edge(th, coro_of_task(owner, NULL), th->spawned);
        }
        Py_XDECREF(owner);
    }
}

ACTION(spawned)
{
    look_unrun(th, value, th->spawned); /* an eager one that is over has forgotten what it ran */
}
