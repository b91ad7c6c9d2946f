/* What the program's objects may be asked, without running its code: tasks, names, exceptions, loops (the twin:
 * pycore/introspect.py).
 *
 * Knows where asyncio and trio keep what they know, once the program has imported them. Knows nothing of recordings. */

/* Of a dict: borrowed, or NULL. (PyDict_GetItem() and PyDict_GetItemString() tell the program of errors, as those of
 * memory are: sys.unraisablehook.) */
static PyObject *item(PyObject *dict, PyObject *key)
{
    PyObject *value = key ? PyDict_GetItemWithError(dict, key) : NULL;
    drop_error();
    return value;
}

static PyObject *item_named(PyObject *dict, const char *name)
{
    PyObject *key = PyUnicode_FromString(name), *value = item(dict, key);
    Py_XDECREF(key);
    return value;
}

static PyObject *module_attr(const char *module, const char *name)
{
    /* past PyImport_GetModule(), which waits for whoever imports it just now and lets others run meanwhile */
    PyObject *modules = item(sys_dict, word.modules), *value = NULL;
    PyObject *found = modules && PyDict_CheckExact(modules) ? item_named(modules, module) : NULL;
    if (found != NULL && PyModule_CheckExact(found)) {
        value = Py_XNewRef(item_named(PyModule_GetDict(found), name));
    }
    return value;
}

/* asyncio's parts are looked for until the program has imported them, and kept while we record. */
static int know_asyncio(void)
{
    if (UNLIKELY(aio.get_name == NULL)) {
        Py_XSETREF(aio.current_task, module_attr("_asyncio", "current_task"));
        Py_XSETREF(aio.c_task, module_attr("_asyncio", "Task"));
        Py_XSETREF(aio.future, module_attr("_asyncio", "Future"));
        Py_XSETREF(aio.running_loop, module_attr("_asyncio", "_get_running_loop"));
        Py_XSETREF(aio.current_tasks, module_attr("asyncio.tasks", "_current_tasks")); /* from 3.14 on of Python's Tasks alone */
        if (aio.c_task == NULL || aio.current_task == NULL || aio.future == NULL || !PyType_Check(aio.c_task)
            || aio.running_loop == NULL || aio.current_tasks == NULL) {
            return 0;
        }
        aio.get_name = PyObject_GetAttrString(aio.c_task, "get_name");
        drop_error();
    }
    return aio.get_name != NULL;
}

/* An attribute, past __getattribute__ and __getattr__; NULL: there is none, or to get it would run code of the program's
 * (a property, a descriptor of its own). */
static PyObject *get(PyObject *task, PyObject *name)
{
    PyObject *descriptor = _PyType_Lookup(Py_TYPE(task), name), *value; /* the first is borrowed */
    PyTypeObject *kind = descriptor != NULL ? Py_TYPE(descriptor) : NULL;
    if (kind == &PyMemberDescr_Type || kind == &PyGetSetDescr_Type) { /* these go before what the object's own dict says */
        value = kind->tp_descr_get(descriptor, task, (PyObject *)Py_TYPE(task));
    }
    else if (kind == NULL || kind->tp_descr_get == NULL || kind == &PyFunction_Type || kind == &PyMethodDescr_Type) {
        value = PyObject_GenericGetAttr(task, name);
    }
    else {
        return NULL;
    }
    if (UNLIKELY(value == NULL)) {
        drop_error();
    }
    return value;
}

/* What an object of a type of C's keeps at a place of its memory: borrowed, or NULL, also where the place isn't known. */
static inline PyObject *at_place(const Py_ssize_t *place, PyObject *o, PyTypeObject *type)
{
    return LIKELY(*place > 0) && (Py_TYPE(o) == type || PyType_IsSubtype(Py_TYPE(o), type)) ? *(PyObject **)((char *)o + *place)
                                                                                             : NULL;
}

/* That place is where the very object lies which was got from it by name (0: not looked yet, -1: it isn't to be found). */
static void find_place(Py_ssize_t *place, PyObject *o, PyTypeObject *type, PyObject *value)
{
    if (LIKELY(*place != 0) || value == NULL || _Py_IsImmortal(value) || !PyType_IsSubtype(Py_TYPE(o), type)) {
        return;
    }
    Py_ssize_t step = (Py_ssize_t)sizeof value;
    for (Py_ssize_t at = (Py_ssize_t)sizeof(PyObject); at + step <= type->tp_basicsize; at += step) {
        if (*(PyObject **)((char *)o + at) == value) {
            *place = *place == 0 ? at : -1;
        }
    }
}

/* What a function of C's without arguments returns, past the ways by which any may be called; NULL: an error. */
static inline PyObject *call_bare(PyObject *function)
{
    return LIKELY(PyCFunction_CheckExact(function) && PyCFunction_GET_FLAGS(function) == METH_NOARGS)
               ? PyCFunction_GET_FUNCTION(function)(PyCFunction_GET_SELF(function), NULL)
               : PyObject_CallNoArgs(function);
}

/* A new reference, or NULL: no loop runs a task on this thread. */
static PyObject *current_task(void)
{
    if (!know_asyncio()) {
        return NULL;
    }
    PyObject *task = NULL;
#if PY_VERSION_HEX >= 0x030E0000 /* before, this asks the loop for its hash */
    _PyThreadStateImpl *ts = (_PyThreadStateImpl *)tstate();
    if (LIKELY(aio.state_has_task > 0)) {
        task = ts->asyncio_running_loop != NULL ? Py_XNewRef(ts->asyncio_running_task) : NULL;
    }
    else {
        task = PyObject_CallNoArgs(aio.current_task);
        if (task == NULL) {
            drop_error();
        }
        else if (task == Py_None) {
            Py_CLEAR(task);
        }
        else if (aio.state_has_task == 0) {
            aio.state_has_task = ts->asyncio_running_task == task ? 1 : -1;
        }
    }
#endif
    if (task == NULL && PyDict_CheckExact(aio.current_tasks) && PyDict_GET_SIZE(aio.current_tasks)) {
        PyObject *loop = call_bare(aio.running_loop), *one, *its;
        for (Py_ssize_t i = 0; loop != NULL && task == NULL && PyDict_Next(aio.current_tasks, &i, &one, &its);) {
            task = one == loop ? Py_NewRef(its) : NULL; /* by identity: a loop may have a hash of its own */
        }
        Py_XDECREF(loop);
    }
    if (UNLIKELY(task == NULL)) {
        drop_error();
    }
    return task;
}

/* trio's parts, likewise. */
static int know_trio(void)
{
    if (UNLIKELY(trio.cancelled == NULL)) {
        Py_XSETREF(trio.context, module_attr("trio._core._run", "GLOBAL_RUN_CONTEXT"));
        if (trio.context == NULL) {
            return 0;
        }
        Py_XSETREF(trio.task, module_attr("trio._core._run", "Task"));
        Py_XSETREF(trio.clock, module_attr("trio._core._run", "SystemClock"));
        Py_XSETREF(trio.checkpoint, module_attr("trio._core._run", "CancelShieldedCheckpoint"));
        if (trio.task != NULL && trio.clock != NULL && trio.checkpoint != NULL) {
            trio.cancelled = module_attr("trio._core._run", "Cancelled");
        }
    }
    return trio.cancelled != NULL;
}

static inline int is_trio_task(PyObject *value)
{
    return value != NULL && know_trio() && (PyObject *)Py_TYPE(value) == trio.task;
}

/* What trio runs on this thread, by name: a new reference, or NULL. */
static PyObject *trio_now(PyObject *name)
{
    PyObject *value = know_trio() ? PyObject_GetAttr(trio.context, name) : NULL;
    if (value == NULL) {
        drop_error();
    }
    return value;
}

/* What a C Task runs: borrowed, or NULL, also where it is another's (of a subclass it may be an attribute of its own), or
 * the place isn't known yet. */
static inline PyObject *coroutine_in(PyObject *task)
{
    return LIKELY((PyObject *)Py_TYPE(task) == aio.c_task && aio.coro_place > 0) ? *(PyObject **)((char *)task + aio.coro_place)
                                                                                  : NULL;
}

/* What a task runs: a new reference, or NULL. */
static PyObject *coroutine_of(PyObject *task)
{
    PyObject *made = coroutine_in(task);
    if (LIKELY(made != NULL)) {
        return Py_NewRef(made);
    }
    made = get(task, (PyObject *)Py_TYPE(task) == trio.task ? word.coro : word.coro_attr);
    if ((PyObject *)Py_TYPE(task) == aio.c_task) {
        find_place(&aio.coro_place, task, Py_TYPE(task), made);
    }
    return made;
}

static int is_task(PyTypeObject *cls)
{
    if (LIKELY((PyObject *)cls == aio.c_task)) {
        return 1;
    }
    if (know_asyncio() && PyType_IsSubtype(cls, (PyTypeObject *)aio.c_task)) {
        return 1;
    }
    if (aio.py_task == NULL) {
        if (aio.get_name == NULL) {
            return 0;
        }
        aio.py_task = module_attr("asyncio.tasks", "_PyTask");
    }
    return aio.py_task != NULL && PyType_Check(aio.py_task) && PyType_IsSubtype(cls, (PyTypeObject *)aio.py_task);
}

/* The name of a C Task; NULL: it has none but a number, of which get_name() would make one. */
static PyObject *c_task_name(PyObject *task)
{
    PyObject *there = at_place(&aio.name_place, task, (PyTypeObject *)aio.c_task);
    if (there != NULL && PyLong_CheckExact(there)) {
        return NULL;
    }
    PyObject *name = PyObject_CallOneArg(aio.get_name, task);
    if (name == NULL) {
        drop_error();
    }
    find_place(&aio.name_place, task, (PyTypeObject *)aio.c_task, name);
    return name;
}

/* A new reference, or NULL: it has none. */
static PyObject *task_name(PyObject *task)
{
    PyObject *name;
    if ((PyObject *)Py_TYPE(task) == trio.task) {
        name = get(task, word.task_name);
    }
    else if (PyType_IsSubtype(Py_TYPE(task), (PyTypeObject *)aio.c_task)) {
        name = c_task_name(task);
    }
    else {
        name = get(task, word.name_attr);
    }
    if (name != NULL && !PyUnicode_CheckExact(name)) {
        Py_CLEAR(name);
    }
    return name;
}

/* Whether asyncio gave a task this name: an eager task ends its first step before create_task names it, and on 3.13
 * one that comes from a task factory, and has no name, is named "None" (CPython's gh-130033). */
static int is_made_up(PyObject *name)
{
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(name, &n);
    if (s == NULL) {
        drop_error();
        return 0;
    }
    if (PY_MAJOR_VERSION == 3 && PY_MINOR_VERSION == 13 && strcmp(s, "None") == 0) {
        return 1;
    }
    if (n < 6 || memcmp(s, "Task-", 5) != 0) {
        return 0;
    }
    for (Py_ssize_t i = 5; i < n; i++) {
        if (s[i] < '0' || s[i] > '9') {
            return 0;
        }
    }
    return 1;
}

static int is_plain(PyObject *value)
{
    return value == NULL || value == Py_None || PyUnicode_CheckExact(value) || PyLong_CheckExact(value);
}

/* What `exc` says, if saying it runs no code of the program. */
static PyObject *message_of(PyObject *exc)
{
    reprfunc str = Py_TYPE(exc)->tp_str;
    if (str != ((PyTypeObject *)PyExc_BaseException)->tp_str && str != ((PyTypeObject *)PyExc_OSError)->tp_str
        && str != ((PyTypeObject *)PyExc_KeyError)->tp_str) {
        return NULL;
    }
    PyObject *args = ((PyBaseExceptionObject *)exc)->args;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); i++) {
        if (!is_plain(PyTuple_GET_ITEM(args, i))) {
            return NULL;
        }
    }
    if (PyType_IsSubtype(Py_TYPE(exc), (PyTypeObject *)PyExc_OSError)) {
        PyOSErrorObject *e = (PyOSErrorObject *)exc;
        if (!is_plain(e->myerrno) || !is_plain(e->strerror) || !is_plain(e->filename) || !is_plain(e->filename2)) {
            return NULL;
        }
    }
    PyObject *text = str(exc), *cut = NULL;
    if (text != NULL) {
        cut = PyUnicode_Substring(text, 0, MAX_MESSAGE);
        Py_DECREF(text);
    }
    drop_error();
    return cut;
}

/* Whether `exc` says that its task was cancelled, or is a group of such that say so. */
static int is_cancellation(PyObject *exc, int depth)
{
    if (aio.cancelled == NULL) {
        aio.cancelled = module_attr("asyncio.exceptions", "CancelledError");
    }
    if (aio.cancelled != NULL && PyType_Check(aio.cancelled)
        && PyType_IsSubtype(Py_TYPE(exc), (PyTypeObject *)aio.cancelled)) {
        return 1;
    }
    if (!know_trio()) {
        return 0;
    }
    if ((PyObject *)Py_TYPE(exc) == trio.cancelled) {
        return 1;
    }
    int all = 0;
    if (depth < MAX_GATHERED && (PyObject *)Py_TYPE(exc) == PyExc_BaseExceptionGroup) {
        PyObject *parts = get(exc, word.exceptions);
        all = parts != NULL && PyTuple_CheckExact(parts) && PyTuple_GET_SIZE(parts) > 0;
        for (Py_ssize_t i = 0; all && i < PyTuple_GET_SIZE(parts); i++) {
            all = is_cancellation(PyTuple_GET_ITEM(parts, i), depth + 1);
        }
        Py_XDECREF(parts);
    }
    return all;
}

/* Whether trio runs on this thread. */
static int runs_trio(void)
{
    PyObject *runner = trio_now(word.runner);
    Py_XDECREF(runner);
    return runner != NULL;
}

/* Whether no trio runs on this thread but as another loop's guest, whose selector is asked on any thread. */
static int is_guest(void)
{
    PyObject *runner = trio_now(word.runner), *guest = runner ? get(runner, word.is_guest) : NULL;
    Py_XDECREF(runner);
    Py_XDECREF(guest);
    return guest != Py_False;
}

/* A moment of trio's clock on ours, if it tells the same time; else 0. */
static uint64_t trio_moment(PyObject *when)
{
    uint64_t ns = 0;
    PyObject *runner = when != NULL && PyFloat_CheckExact(when) && !R.ticks ? trio_now(word.runner) : NULL;
    PyObject *clock = runner ? get(runner, word.clock) : NULL;
    PyObject *offset = clock != NULL && (PyObject *)Py_TYPE(clock) == trio.clock ? get(clock, word.offset) : NULL;
    if (offset != NULL && PyFloat_CheckExact(offset)) {
        double seconds = PyFloat_AS_DOUBLE(when) - PyFloat_AS_DOUBLE(offset);
        ns = seconds > 0 && seconds < 1e10 ? (uint64_t)(seconds * 1e9) : 0;
    }
    Py_XDECREF(offset);
    Py_XDECREF(clock);
    Py_XDECREF(runner);
    return ns;
}

/* Whether a str says this; of what is nearly always so no function is called. */
static inline int says(PyObject *text, const char *this)
{
    return LIKELY(PyUnicode_IS_COMPACT_ASCII(text))
               ? (size_t)PyUnicode_GET_LENGTH(text) == strlen(this) && memcmp(PyUnicode_1BYTE_DATA(text), this, strlen(this)) == 0
               : PyUnicode_CompareWithASCIIString(text, this) == 0;
}

static inline int is_function(PyObject *value, const char *qualname)
{
    return value != NULL && PyFunction_Check(value) && says(((PyCodeObject *)PyFunction_GET_CODE(value))->co_qualname, qualname);
}

/* The function that is bound as an object's method of this name (a new reference), or NULL. */
static PyObject *function_of_method(PyObject *o, PyObject *name)
{
    PyObject *function = NULL, *descriptor = _PyType_Lookup(Py_TYPE(o), name); /* borrowed */
    if (descriptor == NULL || !PyFunction_Check(descriptor) || Py_TYPE(o)->tp_getattro != PyObject_GenericGetAttr) {
        PyObject *bound = get(o, name);
        function = bound != NULL && PyMethod_Check(bound) ? Py_NewRef(PyMethod_GET_FUNCTION(bound)) : NULL;
        Py_XDECREF(bound);
    }
    else if (!_PyObject_GetMethod(o, name, &function)) { /* not bound for a moment only to be looked at: of the object's own */
        PyObject *own = function;
        function = own != NULL && PyMethod_Check(own) ? Py_NewRef(PyMethod_GET_FUNCTION(own)) : NULL;
        Py_XDECREF(own);
        drop_error();
    }
    return function;
}

/* A loop's time as our clock's, if it tells the same time; else 0. */
static uint64_t moment_of(PyObject *loop, PyObject *when)
{
    uint64_t ns = 0;
    PyObject *clock = loop != NULL && when != NULL && PyFloat_CheckExact(when) && !R.ticks ? function_of_method(loop, word.time)
                                                                                          : NULL;
    if (is_function(clock, "BaseEventLoop.time")) {
        double seconds = PyFloat_AS_DOUBLE(when);
        ns = seconds > 0 && seconds < 1e10 ? (uint64_t)(seconds * 1e9) : 0;
    }
    Py_XDECREF(clock);
    return ns;
}

/* The Task of which a loop's callback is a step (a new reference), or NULL. */
static PyObject *stepped_task(PyObject *callback)
{
    PyTypeObject *cls = Py_TYPE(callback);
    if (LIKELY(cls == aio.step)) {
        PyObject *task = at_place(&aio.step_place, callback, cls);
        if (LIKELY(task != NULL)) {
            return task == Py_None ? NULL : Py_NewRef(task);
        }
    }
    if (cls == &PyCFunction_Type) { /* a C Task's wake-up */
        PyObject *task = PyCFunction_GET_SELF(callback);
        return task != NULL && strcmp(((PyCFunctionObject *)callback)->m_ml->ml_name, "task_wakeup") == 0 ? Py_NewRef(task) : NULL;
    }
    if (cls == &PyMethod_Type) { /* a Python Task's step or wake-up */
        PyObject *function = PyMethod_GET_FUNCTION(callback), *task = PyMethod_GET_SELF(callback);
        if (PyFunction_Check(function)) {
            PyObject *name = ((PyCodeObject *)PyFunction_GET_CODE(function))->co_name;
            if ((says(name, "__step") || says(name, "__wakeup")) && is_task(Py_TYPE(task))) {
                return Py_NewRef(task);
            }
        }
        return NULL;
    }
    if (cls != aio.step) {
        if (strcmp(cls->tp_name, "_asyncio.TaskStepMethWrapper") != 0) {
            return NULL;
        }
        aio.step = cls;
    }
    PyObject *task = get(callback, word.self_attr);
    if (task == Py_None) {
        Py_CLEAR(task);
    }
    find_place(&aio.step_place, callback, cls, task);
    return task;
}

/* The inner future of shield()'s outer one. */
static PyObject *shielded(PyObject *outer)
{
    PyObject *all = get(outer, word.callbacks), *inner = NULL;
    for (Py_ssize_t i = 0; all != NULL && PyList_CheckExact(all) && i < PyList_GET_SIZE(all); i++) {
        PyObject *pair = PyList_GET_ITEM(all, i);
        PyObject *done = PyTuple_CheckExact(pair) && PyTuple_GET_SIZE(pair) ? PyTuple_GET_ITEM(pair, 0) : NULL;
        if (is_function(done, "shield.<locals>._outer_done_callback")) {
            PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(done);
            PyObject *cells = PyFunction_GET_CLOSURE(done);
            Py_ssize_t first = code->co_nlocalsplus - code->co_nfreevars; /* where the names of the cells begin */
            for (Py_ssize_t k = 0; cells != NULL && inner == NULL && k < code->co_nfreevars; k++) {
                if (PyTuple_GET_ITEM(code->co_localsplusnames, first + k) == word.inner) {
                    inner = Py_XNewRef(((PyCellObject *)PyTuple_GET_ITEM(cells, k))->ob_ref);
                }
            }
        }
    }
    Py_XDECREF(all);
    return inner;
}

/* Whether what is yielded asks for nothing but to go on. */
static inline int is_bare(PyObject *value)
{
    return value == Py_None || UNLIKELY(PyType_CheckExact(value) && know_trio() && value == trio.checkpoint);
}

/* Whom a suspended one awaits (a new reference), or NULL: nobody that runs code. */
static PyObject *awaited_by(PyObject *o)
{
    PyObject *inner = NULL;
    if (is_generator(o)) {
        inner = PyObject_GetAttrString(o, PyCoro_CheckExact(o) ? "cr_await" : PyGen_CheckExact(o) ? "gi_yieldfrom" : "ag_await");
        if (inner == NULL) {
            drop_error();
        }
    }
    else if (is_step_object(o) && Py_TYPE(o)->tp_traverse) {
        Py_TYPE(o)->tp_traverse(o, pick_inner, &inner);
        Py_XINCREF(inner);
    }
    if (inner != NULL && !is_generator(inner) && !is_step_object(inner)) {
        Py_CLEAR(inner);
    }
    return inner;
}
