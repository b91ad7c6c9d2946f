/* What a suspended coroutine waits for: a lock or queue, many tasks, a moment (the twin: pycore/probes.py).
 *
 * Knows resources, who takes them and who gives them back. Knows nothing of who wakes whom. */

static uint32_t define_resource(PyObject *object, uint32_t site)
{
    uint32_t type = type_of(Py_TYPE(object)), id = ++R.resources;
    put_definition(RESOURCE, id, type, site, 0, 0);
    remember(object, TAG_RESOURCE, id, object);
    return id;
}

static uint32_t resource_for(PyObject *object)
{
    uint32_t id = recall(object, TAG_RESOURCE);
    return id ? id : define_resource(object, 0);
}

/* The id of what a method is called on; 0: not to be found. */
static uint32_t resource_of(Frame *f, PyCodeObject *code)
{
    PyObject *object = local_of(f, code, word.self);
    return object ? resource_for(object) : 0;
}

/* It is made: a resource, or a cancel scope. */
ACTION(made)
{
    PyObject *object = local_of(f, code, word.self);
    uint32_t site = object ? site_of(below(f), 0) : 0;
    if (object != NULL && actions & P_SCOPE) {
        remember(object, TAG_SCOPE, site, object);
    }
    else if (object != NULL) {
        define_resource(object, site);
    }
}

ACTION(give)
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

/* A function that isn't a coroutine's took it, for what runs. */
ACTION(taken)
{
    Coro *c = th->top;
    if (c != NULL) {
        take(th, c, f, code);
        Frame *by = below(f);
        if (c->frame == by) {
            c->role &= ~P_TAKE; /* it needn't say so again */
        }
        else {
            c->took = by; /* likewise, where only roots are heard */
        }
    }
}

static void wait_until(Thread *th, Coro *c, PyObject *deadline, uint64_t ts)
{
    uint64_t due = trio_moment(deadline);
    while (c->child != NULL) {
        c = c->child;
    }
    put(th, TIMER, ts, c->id, (uint32_t)due, th->top, (uint32_t)(due >> 32), 0);
}

static void edges_to_children(Thread *th, Coro *root, Frame *f, PyCodeObject *code)
{
    PyObject *group = local_of(f, code, word.self), *all = group ? get(group, word.children) : NULL;
    edges_to_all(th, root, all, 0);
    Py_XDECREF(all);
}

/* For which tasks, and until when, a frame of the chain of `c` waits, by its code's role: that stays the same. */
static void record_wait_for_others(Thread *th, Coro *c, Actions role, Frame *f, PyCodeObject *code, uint64_t ts)
{
    if (role & P_MANY) {
        edges_to_all(th, c->root, many_of(f, code), 0);
    }
    if (role & P_CHILDREN) {
        edges_to_children(th, c->root, f, code);
    }
    if (role & P_UNTIL) {
        wait_until(th, c, local_of(f, code, word.deadline), ts);
    }
}

/* What a suspended coroutine's own code says of the suspension, when it first waits. */
static void record_wait_target(Thread *th, Coro *c, Frame *f, PyCodeObject *code, uint64_t ts)
{
    if (c->role & P_USE) {
        uint32_t resource = resource_of(f, code);
        if (resource) {
            put(th, USE, ts, c->id, resource, th->top, 0, 0);
        }
    }
    record_wait_for_others(th, c, c->role, f, code, ts);
    c->role &= ~AT_SUSPENSION;
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
