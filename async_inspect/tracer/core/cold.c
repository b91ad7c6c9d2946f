/* What is rare is done in Python, once for both cores: tracer/cold.py.
 *
 * Knows how that is called, and what it is offered (_core.pyi): an attribute, a record, an edge. Knows none of its actions. */

/* Events are off while we are called. What is raised is the program's (by a signal's handler, say) and reaches it: the
 * callback fails. But where there was no room for the call itself, that is ours: a record is lost. */
static void call_cold(Actions actions)
{
    Actions first = actions & -actions;
    PyObject *call = Py_XNewRef(probes.cold), *bits = PyLong_FromLongLong(first); /* it may stop the recording */
    PyObject *frame = (PyObject *)PyThreadState_GetFrame(PyThreadState_Get()), *words[] = {bits, frame};
    PyObject *done = call && bits && frame ? PyObject_Vectorcall(call, words, 2, NULL) : NULL;
    if (done == NULL && (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_MemoryError)
                         || PyErr_ExceptionMatches(PyExc_RecursionError))) {
        PyErr_Clear();
        lose();
    }
    Py_XDECREF(done);
    Py_XDECREF(frame);
    Py_XDECREF(bits);
    Py_XDECREF(call);
}

ACTION(cold_start)
{
    call_cold(actions & COLD_AT_START);
}

ACTION(cold_return)
{
    call_cold(actions & COLD_AT_RETURN);
}

/* The id of a task, of a code object, of a type (as a text), of a frame (a site), or the number itself; 0: it has none. */
static uint32_t number_of(Thread *th, PyObject *one)
{
    PyTypeObject *cls = Py_TYPE(one);
    if (PyLong_CheckExact(one)) {
        return (uint32_t)PyLong_AsUnsignedLongMask(one);
    }
    if (PyCode_Check(one)) {
        CodeInfo *info = code_of((PyCodeObject *)one);
        return info ? info->id : 0;
    }
    if (PyType_Check(one)) {
        return type_of((PyTypeObject *)one);
    }
    if (PyFrame_Check(one)) {
        return site_of(python_frame(((PyFrameObject *)one)->f_frame), 0);
    }
    void *frame = NULL;
    Coro *c = is_task(cls) ? coro_of_task(one, &frame) : NULL;
    uint32_t id = c != NULL ? c->id : frame != NULL ? recall(frame, TAG_TASK) : 0;
    look_unrun(th, one, c);
    return id;
}

static PyObject *cold_put(PyObject *self UNUSED, PyObject *args)
{
    int kind, flags;
    PyObject *coro, *aux, *off;
    if (!PyArg_ParseTuple(args, "iOOOi", &kind, &coro, &aux, &off, &flags)) {
        return NULL;
    }
    Thread *th = R.on ? this_thread(tstate()) : NULL;
    if (th != NULL) {
        uint32_t its = number_of(th, coro), other = number_of(th, aux), at = number_of(th, off);
        put(th, kind, now(), its, other, th->top, at, flags);
        drop_error();
    }
    Py_RETURN_NONE;
}

static PyObject *cold_edge(PyObject *self UNUSED, PyObject *args)
{
    PyObject *waits, *awaited;
    if (!PyArg_ParseTuple(args, "OO", &waits, &awaited)) {
        return NULL;
    }
    Thread *th = R.on ? this_thread(tstate()) : NULL;
    if (th != NULL && (is_task(Py_TYPE(waits)) || is_trio_task(waits))) {
        edges_to(th, coro_of_task(waits, NULL), awaited, 0);
    }
    Py_RETURN_NONE;
}

static PyObject *cold_get(PyObject *self UNUSED, PyObject *args)
{
    PyObject *one, *name;
    if (!PyArg_ParseTuple(args, "OU", &one, &name)) {
        return NULL;
    }
    PyObject *value = get(one, name);
    return value ? value : Py_NewRef(Py_None);
}

static PyObject *cold_lose(PyObject *self UNUSED, PyObject *unused UNUSED)
{
    lose();
    Py_RETURN_NONE;
}
