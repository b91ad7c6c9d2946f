/* CPython's frames, coroutines and generators, as this version lays them out.
 *
 * Knows all that differs between 3.12 and 3.15; selftest.c checks it. Knows nothing of recordings. */

typedef _PyInterpreterFrame Frame;

static inline Frame *current_frame(PyThreadState *ts)
{
#if PY_VERSION_HEX < 0x030D0000
    return ts->cframe->current_frame;
#else
    return ts->current_frame;
#endif
}

static inline PyThreadState *tstate(void)
{
#if PY_VERSION_HEX < 0x030D0000
    return _PyThreadState_UncheckedGet();
#else
    return PyThreadState_GetUnchecked();
#endif
}

static inline PyCodeObject *frame_code(Frame *f)
{
#if PY_VERSION_HEX < 0x030D0000
    return f->f_code;
#elif PY_VERSION_HEX < 0x030E0000
    return (PyCodeObject *)f->f_executable;
#else
    return (PyCodeObject *)PyStackRef_AsPyObjectBorrow(f->f_executable);
#endif
}

static inline int frame_lasti(Frame *f, PyCodeObject *code)
{
#if PY_VERSION_HEX < 0x030D0000
    return (int)(f->prev_instr - _PyCode_CODE(code)) * 2;
#else
    return (int)(f->instr_ptr - _PyCode_CODE(code)) * 2;
#endif
}

/* The instruction itself where it stands, or after that. */
static inline const void *stands_at(Frame *f)
{
#if PY_VERSION_HEX < 0x030D0000
    return f->prev_instr;
#else
    return f->instr_ptr;
#endif
}

/* From a frame outward to the next of Python code: those of the interpreter itself are passed over. */
static inline Frame *python_frame(Frame *f)
{
    while (f != NULL && UNLIKELY(f->owner >= 3 || _PyFrame_IsIncomplete(f))) { /* 3: FRAME_OWNED_BY_CSTACK */
        f = f->previous;
    }
    return f;
}

static inline Frame *below(Frame *f)
{
    return python_frame(f->previous);
}

/* The frame of a coroutine object, or NULL if that is no plain coroutine. */
static inline Frame *coroutine_frame(PyObject *made)
{
    if (made == NULL || !PyCoro_CheckExact(made)) {
        return NULL;
    }
#if PY_VERSION_HEX < 0x030E0000
    return (Frame *)((PyCoroObject *)made)->cr_iframe;
#else
    return &((struct _PyCoroObject *)made)->cr_iframe;
#endif
}

/* A local variable of a frame, through its cell if it has one: borrowed, or NULL. */
static PyObject *local_of(Frame *f, PyCodeObject *code, PyObject *name)
{
    PyObject *names = code->co_localsplusnames;
    for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(names); i < n; i++) {
        if (PyTuple_GET_ITEM(names, i) == name) { /* both are interned */
#if PY_VERSION_HEX < 0x030E0000
            PyObject *value = f->localsplus[i];
#else
            PyObject *value = PyStackRef_IsNull(f->localsplus[i]) ? NULL : PyStackRef_AsPyObjectBorrow(f->localsplus[i]);
#endif
            int kind = PyBytes_AS_STRING(code->co_localspluskinds)[i];
            if (value != NULL && kind & (CO_FAST_CELL | CO_FAST_FREE) && PyCell_Check(value)) {
                value = ((PyCellObject *)value)->ob_ref;
            }
            return value;
        }
    }
    return NULL;
}

static int is_step_name(const char *name)
{
    return strcmp(name, "async_generator_asend") == 0 || strcmp(name, "async_generator_athrow") == 0
           || strcmp(name, "anext_awaitable") == 0;
}

static int pick_agen(PyObject *o, void *found)
{
    if (PyAsyncGen_CheckExact(o) || is_step_name(Py_TYPE(o)->tp_name)) {
        *(PyObject **)found = o; /* borrowed */
        return 1;
    }
    return 0;
}

/* The frame of the async generator of which this is a step: what asend(), athrow(), aclose(), anext() return. Or NULL. */
static Frame *agen_frame(PyObject *step)
{
    while (step != NULL && !PyAsyncGen_CheckExact(step)) {
        PyObject *found = NULL;
        if (is_step_name(Py_TYPE(step)->tp_name) && Py_TYPE(step)->tp_traverse) {
            Py_TYPE(step)->tp_traverse(step, pick_agen, &found);
        }
        step = found;
    }
    if (step == NULL) {
        return NULL;
    }
#if PY_VERSION_HEX < 0x030E0000
    return (Frame *)((PyAsyncGenObject *)step)->ag_iframe;
#else
    return &((struct _PyAsyncGenObject *)step)->ag_iframe;
#endif
}

/* The async generator whose frame this is. */
static inline PyObject *agen_of_frame(Frame *f)
{
#if PY_VERSION_HEX < 0x030E0000
    return (PyObject *)((char *)f - offsetof(PyAsyncGenObject, ag_iframe));
#else
    return (PyObject *)((char *)f - offsetof(struct _PyAsyncGenObject, ag_iframe));
#endif
}

static int count_one(PyObject *Py_UNUSED(o), void *count)
{
    ++*(int *)count;
    return 0;
}

/* Whether a step of an async generator is an aclose(): an athrow() has an exception as well. */
static int is_aclose(PyObject *step)
{
    int count = 0;
    if (strcmp(Py_TYPE(step)->tp_name, "async_generator_athrow") == 0 && Py_TYPE(step)->tp_traverse) {
        Py_TYPE(step)->tp_traverse(step, count_one, &count);
    }
    return count == 1;
}

/* Whether it is a good end of this step that its generator ended so (NULL: returned). */
static int swallows(PyObject *step, PyObject *exc)
{
    int over = exc == NULL || PyType_IsSubtype(Py_TYPE(exc), (PyTypeObject *)PyExc_StopAsyncIteration);
    if (is_aclose(step)) {
        return over || PyType_IsSubtype(Py_TYPE(exc), (PyTypeObject *)PyExc_GeneratorExit);
    }
    return over && strcmp(Py_TYPE(step)->tp_name, "anext_awaitable") == 0; /* it has a default */
}

static inline int coroutine_is_new(PyObject *made)
{
#if PY_VERSION_HEX < 0x030E0000
    return ((PyCoroObject *)made)->cr_frame_state == FRAME_CREATED;
#else
    return ((struct _PyCoroObject *)made)->cr_frame_state == FRAME_CREATED;
#endif
}

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

#if PY_VERSION_HEX < 0x030F0000
#define ENDED FRAME_COMPLETED
#else
#define ENDED FRAME_CLEARED
#endif

static inline int is_generator(PyObject *o) /* all three share their beginning */
{
    return PyCoro_CheckExact(o) || PyGen_CheckExact(o) || PyAsyncGen_CheckExact(o);
}

#if PY_VERSION_HEX < 0x030E0000
#define OFFSET_OF_FRAME offsetof(PyGenObject, gi_iframe)
#else
#define OFFSET_OF_FRAME offsetof(struct _PyGenObject, gi_iframe)
#endif

/* The coroutine or generator that a frame is in. */
static inline PyObject *generator_of(Frame *f)
{
    return (PyObject *)((char *)f - OFFSET_OF_FRAME);
}

/* Copy what may not be there any more. 0: it isn't, or the kernel won't say. */
static int copy_memory(void *to, const void *from, size_t size)
{
#ifdef __APPLE__
    vm_size_t done = 0;
    return vm_read_overwrite(mach_task_self(), (vm_address_t)from, size, (vm_address_t)to, &done) == KERN_SUCCESS && done == size;
#else
    struct iovec there = {(void *)from, size}, here = {to, size};
    return process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)size;
#endif
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
