/* trio: its tasks, and who puts them among what it runs next (the twin: pycore/trio.py).
 *
 * Knows what the actions that only trio's functions ask for read off them. Where trio keeps what it runs is in
 * introspect.c. */

ACTION(new_trio_task)
{
    PyObject *made = is_trio_task(value) ? coroutine_of(value) : NULL;
    void *key = coroutine_frame(made);
    if (key != NULL && coroutine_is_new(made)) {
        Coro *known = find(key);
        if (known != NULL) {
            vanish_chain(th, known);
        }
        Coro *c = new_task(key);
        PyObject *name = get(value, word.task_name);
        Frame *caller = below(f);
        PyObject *given = caller ? local_of(caller, frame_code(caller), word.task_name) : NULL;
        if (c != NULL) {
            put_spawn(th, c, f, given == Py_None || given == NULL ? NULL : name);
            if (name != NULL && PyUnicode_CheckExact(name)) {
                c->name_hash = name_hash(name); /* also of trio's making: its end asks whether it is another */
            }
            PyObject *nursery = actions & P_GROUP ? local_of(f, code, word.nursery) : NULL;
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
ACTION(put_next)
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
ACTION(leave)
{
    PyObject *key = job_key(local_of(f, code, word.sync_fn), local_of(f, code, word.args));
    if (key != NULL) {
        int one = !recall(key, TAG_POSTED); /* two that are alike can't be told apart */
        uint32_t id = put_callback(th, f);
        remember(key, TAG_POSTED, one ? id : 0, key);
    }
}

ACTION(job)
{
    PyObject *pair = local_of(f, code, word.job);
    th->job = 0;
    if (pair != NULL && PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) == 2) {
        PyObject *key = job_key(PyTuple_GET_ITEM(pair, 0), PyTuple_GET_ITEM(pair, 1));
        th->job = recall(key, TAG_POSTED);
        forget(key, TAG_POSTED);
    }
}
