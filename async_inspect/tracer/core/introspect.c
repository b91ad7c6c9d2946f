/* What the program's objects are asked, without running its code: tasks, names, exceptions. */

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
    PyObject *descriptor = _PyType_Lookup(Py_TYPE(task), name); /* borrowed */
    if (descriptor != NULL && Py_TYPE(descriptor)->tp_descr_get != NULL) {
        PyTypeObject *kind = Py_TYPE(descriptor);
        if (kind != &PyMemberDescr_Type && kind != &PyGetSetDescr_Type && kind != &PyFunction_Type && kind != &PyMethodDescr_Type) {
            return NULL;
        }
    }
    PyObject *value = PyObject_GenericGetAttr(task, name);
    if (value == NULL) {
        drop_error();
    }
    return value;
}

/* A new reference, or NULL: no loop runs a task on this thread. */
static PyObject *current_task(void)
{
    if (!know_asyncio()) {
        return NULL;
    }
    PyObject *task = NULL;
#if PY_VERSION_HEX >= 0x030E0000 /* before, this asks the loop for its hash */
    task = PyObject_CallNoArgs(aio.current_task);
#endif
    if (task == Py_None || task == NULL) {
        Py_CLEAR(task);
        if (PyDict_CheckExact(aio.current_tasks) && PyDict_GET_SIZE(aio.current_tasks)) {
            PyObject *loop = PyObject_CallNoArgs(aio.running_loop), *one, *its;
            for (Py_ssize_t i = 0; loop != NULL && task == NULL && PyDict_Next(aio.current_tasks, &i, &one, &its);) {
                task = one == loop ? Py_NewRef(its) : NULL; /* by identity: a loop may have a hash of its own */
            }
            Py_XDECREF(loop);
        }
    }
    drop_error();
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

/* What a task runs: a new reference, or NULL. */
static PyObject *coroutine_of(PyObject *task)
{
    return get(task, (PyObject *)Py_TYPE(task) == trio.task ? word.coro : word.coro_attr);
}

/* The running task if `c` is its root (a new reference), else NULL. */
static PyObject *step_of(Thread *th, Coro *c)
{
    PyObject *task = current_task();
    if (task != NULL) {
        PyObject *made = coroutine_of(task);
        int its = made != NULL && PyCoro_CheckExact(made)
                      ? (void *)coroutine_frame(made) == c->frame
                  : c->step || agen_frame(made) != NULL
                      ? made != NULL && STEP_KEY(made) == c->frame
                      : c->outer == NULL && (th->top == NULL || th->top == c); /* of what is no coroutine of Python's own */
        Py_XDECREF(made);
        if (!its) {
            Py_CLEAR(task);
        }
    }
    if (task == NULL && (task = trio_now(word.task)) != NULL) {
        PyObject *made = is_trio_task(task) ? coroutine_of(task) : NULL;
        if (made == NULL || (void *)coroutine_frame(made) != c->frame) {
            Py_CLEAR(task);
        }
        Py_XDECREF(made);
    }
    return task;
}

static int is_step_of(Thread *th, Coro *c)
{
    PyObject *task = step_of(th, c);
    Py_XDECREF(task);
    return task != NULL;
}

static int is_task(PyTypeObject *cls)
{
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

static PyObject *task_name(PyObject *task)
{
    PyObject *name;
    if ((PyObject *)Py_TYPE(task) == trio.task) {
        name = get(task, word.task_name);
    }
    else if (PyType_IsSubtype(Py_TYPE(task), (PyTypeObject *)aio.c_task)) {
        name = PyObject_CallOneArg(aio.get_name, task);
        if (name == NULL) {
            drop_error();
        }
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

static Py_hash_t name_hash(PyObject *name)
{
    return PyObject_Hash(name);
}

/* The task's name at its end, if the program gave it and it was not written yet. */
static PyObject *last_name(Coro *c, PyObject *task)
{
    PyObject *name = task_name(task);
    int others = (PyObject *)Py_TYPE(task) == trio.task; /* which tells no name of its making from the program's */
    if (name != NULL && (name_hash(name) == c->name_hash || (others ? c->name_hash == 0 : is_made_up(name)))) {
        /* asyncio's own; an eager task ends its first step before create_task names it */
        Py_CLEAR(name);
    }
    return name;
}

static void put_name(Thread *th, Coro *c, PyObject *name, uint64_t ts, Coro *after)
{
    PyObject *data = utf8(name);
    c->name_hash = name_hash(name);
    if (data != NULL) {
        put(th, NAME, ts, c->id, 0, after, (uint32_t)PyBytes_GET_SIZE(data), 0);
        put_text(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
        Py_DECREF(data);
    }
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

static int outcome(Coro *c, PyObject *task, PyObject *exc)
{
    if (c->is_task) {
        if (task == NULL) {
            return CLOSED;
        }
        if (exc == NULL) {
            PyObject *must = get(task, word.must_cancel);
            Py_XDECREF(must);
            return must == Py_True ? CANCELLED : 0;
        }
    }
    else if (exc != NULL && Py_TYPE(exc) == (PyTypeObject *)PyExc_GeneratorExit) {
        return CLOSED;
    }
    return exc != NULL && is_cancellation(exc, 0) ? CANCELLED : 0;
}
