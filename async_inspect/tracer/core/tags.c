/* Context variables that were asked for by name: what a task's code sees in them (the twin: pycore/tags.py).
 *
 * Knows which values are text that may be recorded, and when there is something new to say. Knows nothing of tasks.
 *
 * Read where a coroutine stops, from the context of whoever runs: that is the task's own. Nothing of the program's is
 * called: variables compare by identity, and only an exact str, int or UUID is a value. */

/* The variables that are in the context now and were not found before; of several of one name the first. */
static void find_tags(void)
{
    PyObject *context = PyContext_CopyCurrent(), *all = context ? PyObject_GetIter(context) : NULL, *var;
    for (int seen = 0; seen < MAX_CONTEXT_VARIABLES && all != NULL && (var = PyIter_Next(all)) != NULL; seen++) {
        PyObject *name = PyContextVar_CheckExact(var) ? get(var, word.task_name) : NULL;
        for (Py_ssize_t i = 0; name != NULL && PyUnicode_CheckExact(name) && i < PyTuple_GET_SIZE(R.tag_names); i++) {
            if (R.tag_vars[i] == NULL && PyUnicode_Compare(name, PyTuple_GET_ITEM(R.tag_names, i)) == 0) {
                R.tag_vars[i] = Py_NewRef(var);
            }
        }
        Py_XDECREF(name);
        Py_DECREF(var);
    }
    drop_error();
    Py_XDECREF(all);
    Py_XDECREF(context);
}

/* What a variable holds, if that is a str, an int or a UUID (as an int, `*uuid`): a new reference, or NULL. */
static PyObject *tag_value(PyObject *var, int *uuid)
{
    PyObject *value = NULL;
    *uuid = 0;
    if (PyContextVar_Get(var, Py_None, &value) != 0) { /* not its default: that says nothing of this task */
        drop_error();
        return NULL;
    }
    if (PyUnicode_CheckExact(value) || PyLong_CheckExact(value)) {
        return value;
    }
    if (strcmp(Py_TYPE(value)->tp_name, "UUID") == 0) {
        PyObject *cls = module_attr("uuid", "UUID");
        if ((PyObject *)Py_TYPE(value) == cls) {
            PyObject *number = get(value, word.integer);
            Py_DECREF(value);
            Py_DECREF(cls);
            *uuid = 1;
            if (number != NULL && !PyLong_CheckExact(number)) {
                Py_CLEAR(number);
            }
            return number;
        }
        Py_XDECREF(cls);
    }
    Py_DECREF(value);
    return NULL;
}

static PyObject *tag_text(PyObject *value, int uuid)
{
    PyObject *text = NULL;
    if (uuid) {
        PyObject *hex = PyObject_CallMethod(value, "__format__", "s", "032x");
        const char *s = hex ? PyUnicode_AsUTF8(hex) : NULL;
        if (s != NULL && strlen(s) == 32) {
            text = PyUnicode_FromFormat("%.8s-%.4s-%.4s-%.4s-%.12s", s, s + 8, s + 12, s + 16, s + 20);
        }
        Py_XDECREF(hex);
    }
    else {
        PyObject *whole = PyObject_Str(value);
        text = whole ? PyUnicode_Substring(whole, 0, MAX_TAG) : NULL;
        Py_XDECREF(whole);
    }
    if (text == NULL) {
        drop_error(); /* an int of so many digits that Python won't say them */
    }
    return text;
}

static void put_tag(Thread *th, Coro *root, PyObject *name, PyObject *text)
{
    PyObject *a = utf8(name), *b = utf8(text), *data = NULL;
    if (a != NULL && b != NULL && (data = PyBytes_FromStringAndSize(NULL, PyBytes_GET_SIZE(a) + 1 + PyBytes_GET_SIZE(b)))) {
        char *s = PyBytes_AS_STRING(data);
        memcpy(s, PyBytes_AS_STRING(a), (size_t)PyBytes_GET_SIZE(a) + 1);
        memcpy(s + PyBytes_GET_SIZE(a) + 1, PyBytes_AS_STRING(b), (size_t)PyBytes_GET_SIZE(b));
        put(th, TAG, now(), root->id, 0, th->top, (uint32_t)PyBytes_GET_SIZE(data), 0);
        put_text(s, (size_t)PyBytes_GET_SIZE(data));
    }
    drop_error();
    Py_XDECREF(data);
    Py_XDECREF(a);
    Py_XDECREF(b);
}

/* What runs is about to stop: write what its root's tags are, if they are others than before. */
static void tell_tags(Thread *th, Coro *root)
{
    PyObject *values[MAX_TAGS];
    int uuid[MAX_TAGS], missing = 0, n = (int)PyTuple_GET_SIZE(R.tag_names);
    Py_uhash_t all = 0;
    for (int i = 0; i < n; i++) {
        missing |= R.tag_vars[i] == NULL;
    }
    if (missing) {
        find_tags();
    }
    for (int i = 0; i < n; i++) {
        values[i] = R.tag_vars[i] ? tag_value(R.tag_vars[i], &uuid[i]) : NULL;
        all = all * 1000003 + (values[i] ? (Py_uhash_t)PyObject_Hash(values[i]) * 2 + 1 : 0);
    }
    if (all != 0 && (Py_hash_t)all != root->tags) {
        root->tags = (Py_hash_t)all;
        for (int i = 0; i < n; i++) {
            PyObject *text = values[i] ? tag_text(values[i], uuid[i]) : NULL;
            if (text != NULL) {
                put_tag(th, root, PyTuple_GET_ITEM(R.tag_names, i), text);
            }
            Py_XDECREF(text);
        }
    }
    for (int i = 0; i < n; i++) {
        Py_XDECREF(values[i]);
    }
}
