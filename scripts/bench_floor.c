/* Callbacks that do nothing, in C, on the events that a recording at the detail "calls" hears: what CPython itself takes to
 * call anybody on these. Built and run by bench.py; public API alone. */
#include <Python.h>
#include <stddef.h>

enum { START, RESUME, YIELD, RETURN, UNWIND, THROW, EVENTS };
static const char *names[EVENTS] = {"PY_START", "PY_RESUME", "PY_YIELD", "PY_RETURN", "PY_UNWIND", "PY_THROW"};
static PyObject *monitoring, *disable, *tool, *local;
static Py_ssize_t seen;
#define ASYNC (CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR)
#define IS_ASYNC(code) (((PyCodeObject *)(code))->co_flags & ASYNC)

static PyObject *on_start(PyObject *self, PyObject *const *args, size_t n, PyObject *keywords)
{
    void *before = NULL;
    if (!IS_ASYNC(args[0])) {
        return Py_NewRef(disable);
    }
    PyUnstable_Code_GetExtra(args[0], seen, &before);
    if (before == NULL) {
        PyUnstable_Code_SetExtra(args[0], seen, &seen);
        Py_XDECREF(PyObject_CallMethod(monitoring, "set_local_events", "OOO", tool, args[0], local));
    }
    Py_RETURN_NONE;
}

static PyObject *nothing(PyObject *self, PyObject *const *args, size_t n, PyObject *keywords)
{
    Py_RETURN_NONE;
}

static PyObject *no_throw(PyObject *self, PyObject *const *args, size_t n, PyObject *keywords)
{
    return IS_ASYNC(args[0]) || PY_VERSION_HEX < 0x030F0000 ? Py_NewRef(Py_None) : Py_NewRef(disable);
}

typedef struct {
    PyObject_HEAD
    vectorcallfunc call;
} Callback;

static PyTypeObject type = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "floor.callback",
    .tp_basicsize = sizeof(Callback),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_vectorcall_offset = offsetof(Callback, call),
    .tp_call = PyVectorcall_Call,
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "floor", NULL, -1, NULL, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit_floor(void)
{
    static const vectorcallfunc calls[EVENTS] = {on_start, nothing, nothing, nothing, nothing, no_throw};
    long bits[EVENTS], all, inner;
    monitoring = PySys_GetObject("monitoring");
    disable = PyObject_GetAttrString(monitoring, "DISABLE");
    tool = PyLong_FromLong(2);
    seen = PyUnstable_Eval_RequestCodeExtraIndex(NULL);
    PyObject *events = PyObject_GetAttrString(monitoring, "events");
    if (PyType_Ready(&type) != 0 || PyObject_CallMethod(monitoring, "use_tool_id", "Os", tool, "floor") == NULL) {
        return NULL;
    }
    for (int i = 0; i < EVENTS; i++) {
        PyObject *event = PyObject_GetAttrString(events, names[i]);
        Callback *callback = PyObject_New(Callback, &type);
        callback->call = calls[i];
        bits[i] = PyLong_AsLong(event);
        if (PyObject_CallMethod(monitoring, "register_callback", "OOO", tool, event, callback) == NULL) {
            return NULL;
        }
    }
    all = bits[START] | bits[RESUME] | bits[THROW];
    inner = bits[RESUME] | bits[YIELD] | bits[RETURN];
    if (PY_VERSION_HEX < 0x030F0000) {
        all |= bits[UNWIND]; /* these two are for all code alone, before 3.15 */
    }
    else {
        inner |= bits[UNWIND] | bits[THROW];
    }
    local = PyLong_FromLong(inner);
    return PyObject_CallMethod(monitoring, "set_events", "Ol", tool, all) ? PyModule_Create(&module) : NULL;
}
