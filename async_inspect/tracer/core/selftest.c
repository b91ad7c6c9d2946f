/* Whether this Python's frames are what we take them for: what we read of two coroutines against what its public API says.
 *
 * Knows those layouts that frames.c reads. Knows nothing of recordings.
 *
 * choose.py runs it before this core may record: a coroutine that awaits another, at three stages. Each step rests on
 * nothing but those before it, so that on another layout it finds a difference, as far as that can be, and no crash. */

enum { STAGE_NEW, STAGE_RUNS, STAGE_WAITS };

static int lies_in(void *frame, PyObject *o)
{
    char *begin = (char *)o, *end = begin + Py_TYPE(o)->tp_basicsize + Py_TYPE(o)->tp_itemsize * Py_SIZE(o);
    return (char *)frame > begin && (char *)frame < end;
}

/* The first difference, or NULL. */
static const char *difference(PyObject *outer, PyObject *inner, PyObject *mark, int stage)
{
    Frame *f = coroutine_frame(inner), *above = coroutine_frame(outer);
    if (f == NULL || above == NULL || !lies_in(f, inner) || !lies_in(above, outer)) {
        return "where a coroutine has its frame";
    }
    if (coroutine_is_new(inner) != (stage == STAGE_NEW) || (generator_state(inner) == FRAME_EXECUTING) != (stage == STAGE_RUNS)) {
        return "whether a coroutine has run";
    }
    PyObject *code = PyObject_GetAttrString(inner, "cr_code");
    Py_XDECREF(code); /* the coroutine has it */
    if (code == NULL || (PyObject *)frame_code(f) != code) {
        return "a frame's code";
    }
    if (stage != STAGE_RUNS) {
        return NULL;
    }
    PyThreadState *ts = PyThreadState_Get();
    PyFrameObject *seen = current_frame(ts) == f ? PyThreadState_GetFrame(ts) : NULL;
    if (seen == NULL) {
        return "the frame that runs";
    }
    if (PyFrame_GetLasti(seen) != frame_lasti(f, (PyCodeObject *)code)) {
        Py_DECREF(seen);
        return "where a frame stands";
    }
    if (local_of(f, (PyCodeObject *)code, word.job) != mark) {
        Py_DECREF(seen);
        return "a local variable";
    }
    Frame *ours = f;
    while (seen != NULL && ours != NULL) { /* outward, as far as both go */
        PyFrameObject *next = PyFrame_GetBack(seen);
        Py_DECREF(seen);
        seen = next;
        ours = below(ours);
        if ((seen == NULL) != (ours == NULL)) {
            break;
        }
        if (seen != NULL) {
            PyCodeObject *its = PyFrame_GetCode(seen);
            int same = its == frame_code(ours) && PyFrame_GetLasti(seen) == frame_lasti(ours, its);
            Py_DECREF(its);
            if (!same) {
                break;
            }
        }
        if (f != NULL) {
            if (ours != above) {
                break;
            }
            f = NULL; /* the first is its awaiter's */
        }
    }
    if (seen != NULL || ours != NULL) {
        Py_XDECREF(seen);
        return "the frames below another";
    }
    return NULL;
}

static PyObject *self_test(PyObject *self UNUSED, PyObject *args)
{
    PyObject *outer, *inner, *mark;
    int stage;
    if (!PyArg_ParseTuple(args, "O!O!Oi", &PyCoro_Type, &outer, &PyCoro_Type, &inner, &mark, &stage)) {
        return NULL;
    }
    const char *what = difference(outer, inner, mark, stage);
    if (PyErr_Occurred()) {
        return NULL;
    }
    if (what != NULL) {
        return PyErr_Format(PyExc_ImportError, "this Python's frames are not what it reads: %s", what);
    }
    Py_RETURN_NONE;
}
