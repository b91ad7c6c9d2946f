/* What a frame awaits, as its own stack has it (to the twin that isn't visible: pycore/coroutines.py).
 *
 * Knows where on a stack the awaited object lies, and what of that runs Python code. Does not know who asks. */

/* Of a frame that stands at this YIELD_VALUE: whether it awaits, and so yields what another yielded. */
static inline int is_await(PyCodeObject *code, int off)
{
    return (_PyCode_CODE(code)[off / 2 + 1].op.arg & 3) >= 2; /* of the RESUME: 2 in a `yield from`, 3 in an await */
}

/* What lies on top of a frame's stack, or below that: borrowed. */
static inline PyObject *on_stack(Frame *f, int from_top)
{
#if PY_VERSION_HEX < 0x030E0000
    return f->localsplus[f->stacktop - from_top];
#else
    return PyStackRef_AsPyObjectBorrow(f->stackpointer[-from_top]);
#endif
}
#define AWAITED (PY_VERSION_HEX < 0x030F0000 ? 1 : 2) /* from the top: on that lies an index, or none, from 3.15 on ... */
#define AWAITED_AS_IT_YIELDS (AWAITED + (PY_VERSION_HEX >= 0x030E0000)) /* ... and the value that is being yielded */

static int pick_awaited(PyObject *o, void *found)
{
    PyTypeObject *cls = Py_TYPE(o);
    if (is_generator(o) ? generator_state(o) != FRAME_CREATED && generator_state(o) < ENDED
                        : !(cls->tp_flags & Py_TPFLAGS_HEAPTYPE) ? is_step_object(o)
                                                                 : cls->tp_as_async && cls->tp_as_async->am_send) {
        PyObject **one = found;
        *one = *one == NULL || *one == o ? o : Py_None; /* of two it can't be known which */
    }
    return 0;
}

/* What an awaitable that is none of Python's own (a compiled coroutine) awaits itself, where it has one thing that it can be:
 * borrowed. One that Python code steps drives by hand what it steps. */
static PyObject *inside_foreign(PyObject *o)
{
    PyObject *found = NULL;
    PyTypeObject *cls = Py_TYPE(o);
    PyObject *next = cls->tp_iternext != NULL ? _PyType_Lookup(cls, word.next) : NULL;
    if ((cls->tp_iternext != NULL || (cls->tp_as_async && cls->tp_as_async->am_send)) && cls->tp_traverse
        && !(next != NULL && PyFunction_Check(next))) {
        cls->tp_traverse(o, pick_awaited, &found);
    }
    return found == Py_None ? NULL : found;
}

/* What awaits a C Future, and runs nothing. */
static int is_future_iter(PyTypeObject *cls)
{
    if (UNLIKELY(aio.future_iter == NULL && strcmp(cls->tp_name, "_asyncio.FutureIter") == 0)) {
        aio.future_iter = cls;
    }
    return cls == aio.future_iter;
}

/* From what a frame awaits to what of that has a frame (borrowed), or NULL. */
RARE PyObject *inside(PyObject *o)
{
    for (int i = 0; i < MAX_GATHERED && o != NULL && !is_generator(o); i++) {
        PyTypeObject *cls = Py_TYPE(o);
        if (is_future_iter(cls)) {
            return NULL;
        }
        if (!(cls->tp_flags & Py_TPFLAGS_HEAPTYPE)) {
            PyObject *inner = NULL;
            if (is_step_object(o) && cls->tp_traverse) {
                cls->tp_traverse(o, pick_inner, &inner);
            }
            o = inner;
        }
        else {
            o = inside_foreign(o);
        }
    }
    return o != NULL && is_generator(o) ? o : NULL;
}

/* Whether what is on the top of a frame's stack is what runs in `inner`: mostly an await has just entered that. */
static inline int has_on_top(Frame *f, Frame *inner)
{
#if PY_VERSION_HEX < 0x030E0000
    return f->stacktop > 0 && on_stack(f, AWAITED) == generator_of(inner); /* -1: it called into C */
#else
    return on_stack(f, AWAITED) == generator_of(inner);
#endif
}

/* What a frame awaits that stands at an await: borrowed. NULL: its code is of another compiler, or it awaits nothing. */
static PyObject *awaited_in_place(Frame *f, CodeInfo *info, PyCodeObject *code)
{
    int i = frame_lasti(f, code) / 2, place = i >= 0 && i < info->stands_len ? info->stands[i] >> PLACE : 0;
    if (!place) {
        return NULL;
    }
#if PY_VERSION_HEX < 0x030E0000
    return f->localsplus[code->co_nlocalsplus + place - 1];
#else
    return PyStackRef_AsPyObjectBorrow(f->localsplus[code->co_nlocalsplus + place - 1]);
#endif
}

/* Whether a frame that stands at an await awaits the one that runs in `inner`, and not another below which that runs: what is
 * finalized as a callee's locals die, or what compiled code drives. Of awaitables that are not Python's own it isn't known
 * what they run: then it does. `thrown`: an exception goes inward past frames that await what is no generator. */
RARE int awaits_inner(Frame *f, CodeInfo *info, PyCodeObject *code, Frame *inner, int thrown)
{
    PyObject *o = awaited_in_place(f, info, code);
    if (o == NULL) {
        return 1;
    }
    while (o != NULL) {
        if (!is_generator(o)) {
            if (!is_step_object(o) && !is_future_iter(Py_TYPE(o))) {
                return 1;
            }
            o = inside(o);
            if (o == NULL) {
                return 0;
            }
        }
        Frame *next = generator_frame(o);
        if (next == inner) {
            return 1;
        }
        if (!thrown || generator_state(o) == FRAME_CREATED || generator_state(o) >= ENDED) {
            return 0;
        }
        code = frame_code(next);
        info = entry_of(code);
        o = info != NULL && stands(info, code, frame_lasti(next, code), AT_YIELD) ? awaited_in_place(next, info, code) : NULL;
    }
    return 0;
}

/* Whether a frame awaits the one that runs in `inner`. `thrown`: an exception may be on its way from the one to the other; not
 * from one that waits for an answer, nor from there outward. */
static inline int is_awaiting(Frame *f, CodeInfo *info, PyCodeObject *code, Frame *inner, int *thrown)
{
    int lasti = frame_lasti(f, code);
    if (info == NULL) {
        return 0;
    }
    if (LIKELY(stands(info, code, lasti, AT_SEND))) {
        if (*thrown && !(frame_code(inner)->co_flags & CO_ASYNC_GENERATOR)) {
            return 0; /* nothing but an athrow() comes from here */
        }
        *thrown = 0;
    }
    else if (!*thrown || !stands(info, code, lasti, AT_YIELD)) {
        return 0;
    }
    return LIKELY(has_on_top(f, inner)) || awaits_inner(f, info, code, inner, *thrown);
}
