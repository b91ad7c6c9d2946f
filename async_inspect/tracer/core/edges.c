/* Who waits for many tasks at once: gather, groups, shield (the twin: pycore/edges.py).
 *
 * Knows how to find the tasks, and the records that say so. Knows nothing of which functions wait so (sources/). */

/* The local variable that holds what a function waits for all of. */
static PyObject *many_of(Frame *f, PyCodeObject *code)
{
    PyObject *todo = local_of(f, code, word.todo);
    return todo != NULL ? todo : local_of(f, code, word.fs);
}

/* A generator: whom it waits for is known when it first yields. */
ACTION(begins)
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
        put(th, EDGE, th->moment ? th->moment : now(), waits->id, awaited->id, th->top, 0, 0);
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
    else if (R.shields && recall(value, TAG_SHIELD)) {
        PyObject *inner = shielded(value);
        if (inner != NULL) {
            edges_to(th, waits, inner, depth + 1);
            Py_DECREF(inner);
        }
    }
}

static void edges_of(Thread *th, Coro *root, PyObject *value)
{
    if (aio.gathering == NULL) {
        aio.gathering = module_attr("asyncio.tasks", "_GatheringFuture");
    }
    edges_to(th, root, value, 0);
}

ACTION(ends) /* it, without having yielded */
{
    was_fresh(th, f);
}

ACTION(wait_for_many)
{
    if (th->top != NULL) {
        edges_to_all(th, th->top->root, many_of(f, code), 0);
    }
}

ACTION(shield)
{
    if (local_of(f, code, word.inner) != value) {
        R.shields = 1;
        remember(value, TAG_SHIELD, 1, value);
    }
}
