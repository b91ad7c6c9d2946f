/* Start, stop, forks, and the module: the contract (_core.pyi).
 *
 * Knows what a recording needs and gives back. Knows nothing of what is recorded. */

static int register_callbacks(void)
{
    for (int i = 0; i < EVENTS; i++) {
        Callback *callback = PyObject_New(Callback, &callback_type);
        int done = 0;
        if (callback != NULL) {
            callback->call = R.awaits ? callbacks_of_roots[i] : callbacks[i].call;
            done = monitor(monitoring.register_callback, event_objects[i], (PyObject *)callback);
        }
        Py_XDECREF(callback);
        if (!done) {
            return 0;
        }
    }
    R.on = 1;
    if (!set_events(BITS_OF_ALL_CODE)) {
        return 0;
    }
    for (Frame *f = current_frame(PyThreadState_Get()); f != NULL; f = below(f)) {
        if (!R.awaits && f->owner < 3 && frame_code(f)->co_flags & ASYNC_FLAGS) { /* who starts us may run in a coroutine */
            watch(frame_code(f));
        }
    }
    return 1;
}

/* No more events. `last`: nobody takes the tool's id any more, so the callbacks stay (an audit event each, else). */
static void detach(int last)
{
    R.on = 0;
    switch_off();
    for (int i = 0; i < EVENTS && !last; i++) {
        monitor(monitoring.register_callback, event_objects[i], Py_None);
        drop_error();
    }
}

static void release(void)
{
    R.on = R.active = 0;
    if (R.header) {
        munmap(R.header, R.header_size + TAIL_SIZE);
    }
    if (is_ours(R.fd)) {
        close(R.fd);
    }
    free(R.path);
    for (uint32_t i = 0; R.buckets && i <= R.bucket_mask; i++) {
        while (R.buckets[i] != NULL) {
            Coro *c = R.buckets[i];
            R.buckets[i] = c->next;
            c->state = ST_DEAD;
            c->next = free_coros;
            free_coros = c;
        }
    }
    clear_codes();
    clear_recent_types();
    drop_error();
    free(R.spare_indexes);
    free(R.buckets);
    free(R.stdlib);
    map_clear(&R.node_map);
    clear_sites();
    map_clear(&R.chain_map);
    forget_inner();
    passage.root = NULL;
    clear_known();
    clear_handles();
    Py_CLEAR(R.string_ids);
    Py_CLEAR(aio.current_task);
    Py_CLEAR(aio.c_task);
    Py_CLEAR(aio.py_task);
    Py_CLEAR(aio.future);
    Py_CLEAR(aio.get_name);
    Py_CLEAR(aio.cancelled);
    Py_CLEAR(aio.gathering);
    Py_CLEAR(aio.running_loop);
    Py_CLEAR(aio.current_tasks);
    Py_CLEAR(aio.handle);
    Py_CLEAR(aio.timer_handle);
    aio.step = NULL;
    aio.name_place = aio.coro_place = aio.step_place = 0;
    aio.state_has_task = 0;
    aio.future_iter = NULL;
    Py_CLEAR(trio.context);
    Py_CLEAR(trio.task);
    Py_CLEAR(trio.clock);
    Py_CLEAR(trio.checkpoint);
    Py_CLEAR(trio.cancelled);
    Py_CLEAR(probes.wanted);
    Py_CLEAR(probes.cold);
    Py_CLEAR(R.tag_names);
    for (int i = 0; i < MAX_TAGS; i++) {
        Py_CLEAR(R.tag_vars[i]);
    }
    uint32_t session = R.session;
    memset(&R, 0, sizeof R);
    R.session = session;
    R.fd = -1;
    current = NULL;
}

PyDoc_STRVAR(start_doc, "start(fd, header_size, max_size, tool_id, stdlib, ticks=False, slow_poll_ns=0, callees=False, tags=(), tasks=(), detail='calls'): see _core.pyi");
static PyObject *start(PyObject *self UNUSED, PyObject *args, PyObject *kwargs)
{
    static char *names[] = {"fd", "header_size", "max_size", "tool_id", "stdlib", "ticks", "slow_poll_ns", "callees", "tags",
                            "tasks", "detail", NULL};
    int fd, tool, ticks = 0, callees = 0;
    unsigned long long slow_poll_ns = 0;
    long long header_size, max_size;
    const char *stdlib, *detail = "calls";
    PyObject *tags = NULL, *tasks = NULL;
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "iLLis|pKpO!Os", names, &fd, &header_size, &max_size, &tool, &stdlib, &ticks,
                                     &slow_poll_ns, &callees, &PyTuple_Type, &tags, &tasks, &detail)) {
        return NULL;
    }
    if (R.active) {
        PyErr_SetString(PyExc_RuntimeError, "it records already");
        return NULL;
    }
    for (Py_ssize_t i = 0; tags != NULL && i < PyTuple_GET_SIZE(tags); i++) {
        if (!PyUnicode_CheckExact(PyTuple_GET_ITEM(tags, i)) || i >= MAX_TAGS) {
            PyErr_SetString(PyExc_ValueError, "tags: a few names");
            return NULL;
        }
    }
    int awaits = strcmp(detail, "awaits") == 0;
    if (!awaits && strcmp(detail, "calls") != 0) {
        PyErr_SetString(PyExc_ValueError, "detail: calls or awaits");
        return NULL;
    }
    R.session++;
    R.active = 1;
    R.tag_names = tags != NULL && PyTuple_GET_SIZE(tags) ? Py_NewRef(tags) : NULL;
    R.tool = tool;
    R.ticks = ticks;
    R.slow_ns = slow_poll_ns;
    R.callees = callees && !awaits;
    R.awaits = awaits;
    R.edges = probes.all & P_MANY;
    R.wakes = probes.all & P_SOON;
    R.header_size = (size_t)header_size;
    long long room = max_size - header_size - TAIL_SIZE;
    R.max_slots = room > 0 ? (uint64_t)room / sizeof(Slot) : 0;
    struct stat st;
    R.fd = high_duplicate(fd);
    R.path = path_of(fd);
    int error = R.fd < 0 || fstat(R.fd, &st) != 0 ? errno : reserve_tail();
    if (error == 0) {
        R.device = st.st_dev;
        R.inode = st.st_ino;
        void *header = mmap(NULL, R.header_size + TAIL_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, R.fd, 0);
        if (header == MAP_FAILED) {
            error = errno;
        }
        else {
            R.header = header;
        }
    }
    size_t len = strlen(stdlib);
    while (len > 1 && stdlib[len - 1] == '/') {
        len--;
    }
    R.stdlib = malloc(len + 2);
    R.bucket_mask = 1023;
    R.buckets = calloc(R.bucket_mask + 1, sizeof *R.buckets);
    R.string_ids = PyDict_New();
    if (error || R.stdlib == NULL || R.buckets == NULL || R.string_ids == NULL) {
        release();
        if (error) {
            errno = error;
            return PyErr_SetFromErrno(PyExc_OSError);
        }
        return PyErr_NoMemory();
    }
    memcpy(R.stdlib, stdlib, len);
    strcpy(R.stdlib + len, "/");
    R.stdlib_len = len + 1;
#ifdef HAVE_COUNTER
    counter_init();
#endif
    R.tail = R.pos = (Slot *)((char *)R.header + R.header_size);
    R.end = R.tail + BLOCK_SLOTS;
    R.begun = 1;
    R.header->tail_size = TAIL_SIZE;
    R.header->broken_off = IT_GROWS;
    write_long(0, 0, 0, 0, 0, 0, 0, 0, ANCHOR);
    R.nodes = OTHER_NODE;
    put_definition(NODE, OTHER_NODE, 0, 0, 0, 0);
    if (!register_callbacks()) {
        PyObject *error = PyErr_GetRaisedException();
        detach(0);
        release();
        PyErr_SetRaisedException(error);
        return NULL;
    }
    adopt_all(tasks);
    Py_RETURN_NONE;
}

/* Another thread stops: when this returns it has. (Not where that is this very one, from a finalizer.) */
static void wait_for_stop(void)
{
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&watchdog.lock);
    while (watchdog.ending && !pthread_equal(watchdog.ender, pthread_self())) {
        pthread_cond_wait(&watchdog.gone, &watchdog.lock);
    }
    pthread_mutex_unlock(&watchdog.lock);
    Py_END_ALLOW_THREADS
}

static PyObject *stop(PyObject *self UNUSED, PyObject *args)
{
    int last = 0;
    if (!PyArg_ParseTuple(args, "|p", &last)) {
        return NULL;
    }
    if (R.stopping) {
        wait_for_stop();
    }
    else if (R.active) {
        R.stopping = 1;
        watchdog.ender = pthread_self();
        watchdog.ending = 1;
        stop_watchdog();
        int ours = R.on || R.broken_off; /* not in a child that a fork unseen by Python made */
        detach(last);
        if (ours) {
            flush();
            R.header->end_ns = now();
            R.header->state = STOPPED;
        }
        release();
        pthread_mutex_lock(&watchdog.lock);
        watchdog.ending = 0;
        pthread_cond_broadcast(&watchdog.gone);
        pthread_mutex_unlock(&watchdog.lock);
    }
    Py_RETURN_NONE;
}

/* Before a fork: Python warns of one where there are other threads. It begins anew by itself. */
static PyObject *rest(PyObject *self UNUSED, PyObject *unused UNUSED)
{
    stop_watchdog();
    Py_RETURN_NONE;
}

static PyObject *abandon(PyObject *self UNUSED, PyObject *unused UNUSED)
{
    if (R.active) {
        stop_watchdog(); /* it writes out, if it is here */
        detach(0);
        release();
    }
    Py_RETURN_NONE;
}

static PyObject *recording(PyObject *self UNUSED, PyObject *unused UNUSED)
{
    return PyBool_FromLong(R.active);
}

static PyObject *kept(PyObject *self UNUSED, PyObject *unused UNUSED)
{
    return Py_BuildValue("{sIsIsIsIsi}", "objects", known.used + handles.used, "coroutines", R.live, "codes", code_table.used, "threads",
                         threads_used, "held", watchdog.was_held);
}

static PyObject *point(PyObject *self UNUSED, PyObject *args)
{
    PyObject *label, *message;
    if (!PyArg_ParseTuple(args, "UU", &label, &message)) {
        return NULL;
    }
    Thread *th = R.on ? this_thread(tstate()) : NULL;
    if (th == NULL) {
        Py_RETURN_NONE;
    }
    PyObject *a = utf8(label), *b = utf8(message);
    char *text = a && b ? malloc((size_t)(PyBytes_GET_SIZE(a) + PyBytes_GET_SIZE(b)) + 1) : NULL;
    if (text != NULL) {
        size_t n = 0;
        for (Py_ssize_t i = 0; i < PyBytes_GET_SIZE(a); i++) {
            if (PyBytes_AS_STRING(a)[i]) {
                text[n++] = PyBytes_AS_STRING(a)[i];
            }
        }
        text[n++] = 0;
        memcpy(text + n, PyBytes_AS_STRING(b), (size_t)PyBytes_GET_SIZE(b));
        n += (size_t)PyBytes_GET_SIZE(b);
        put(th, POINT, now(), th->top ? th->top->id : 0, 0, th->top, (uint32_t)n, 0);
        put_text(text, n);
        free(text);
    }
    else if (a && b) {
        lose();
    }
    Py_XDECREF(a);
    Py_XDECREF(b);
    Py_RETURN_NONE;
}

static PyObject *set_probes(PyObject *self UNUSED, PyObject *args)
{
    PyObject *wanted, *cold, *files, *actions;
    if (!PyArg_ParseTuple(args, "O!O", &PyDict_Type, &wanted, &cold)) {
        return NULL;
    }
    Py_XSETREF(probes.wanted, Py_NewRef(wanted));
    Py_XSETREF(probes.cold, Py_NewRef(cold));
    probes.all = 0;
    for (Py_ssize_t i = 0; PyDict_Next(wanted, &i, NULL, &files);) {
        for (Py_ssize_t k = 0; PyDict_Check(files) && PyDict_Next(files, &k, NULL, &actions);) {
            probes.all |= PyLong_AsLongLong(actions);
        }
    }
    if (PyErr_Occurred()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* In a forked child the mapping is the parent's file: not a word into it. */
static void forked(void)
{
    R.on = R.stopping = R.broken_off = 0;
    watchdog.runs = watchdog.leaving = watchdog.ending = 0; /* no thread but the one that forked is here ... */
    watchdog.was_held = pthread_mutex_trylock(&watchdog.lock) != 0;
    pthread_mutex_init(&watchdog.lock, NULL); /* ... and one that held this is not */
    pthread_cond_init(&watchdog.gone, NULL);
    pthread_mutex_init(&writing_out, NULL);
    linking = 0;
}

static PyMethodDef methods[] = {
    {"start", (PyCFunction)(void (*)(void))start, METH_VARARGS | METH_KEYWORDS, start_doc},
    {"stop", stop, METH_VARARGS, NULL},
    {"abandon", abandon, METH_NOARGS, NULL},
    {"rest", rest, METH_NOARGS, NULL},
    {"recording", recording, METH_NOARGS, NULL},
    {"kept", kept, METH_NOARGS, NULL},
    {"point", point, METH_VARARGS, NULL},
    {"adopt", adopt, METH_O, NULL},
    {"self_test", self_test, METH_VARARGS, NULL},
    {"set_probes", set_probes, METH_VARARGS, NULL},
    {"put", cold_put, METH_VARARGS, NULL},
    {"edge", cold_edge, METH_VARARGS, NULL},
    {"get", cold_get, METH_VARARGS, NULL},
    {"lose", cold_lose, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "_core", "The C core: see _core.pyi.", -1, methods,
                                    NULL, NULL, NULL, NULL};

/* What this is built for, and no other: a minor version, or one very pre-release. */
static int is_ours_to_read(unsigned long version)
{
    int final = (version >> 4 & 0xF) == 0xF && (PY_VERSION_HEX >> 4 & 0xF) == 0xF;
    return final ? version >> 16 == PY_VERSION_HEX >> 16 : version == PY_VERSION_HEX;
}

/* Once a process, under however many names the module is imported. */
static int init_process(void)
{
    static int done;
    if (done) {
        return 1;
    }
    PyObject *from = PySys_GetObject("monitoring");
    if (from == NULL) {
        PyErr_SetString(PyExc_ImportError, "no sys.monitoring");
        return 0;
    }
    disable = PyObject_GetAttrString(from, "DISABLE");
    monitoring.set_events = PyObject_GetAttrString(from, "set_events");
    monitoring.set_local_events = PyObject_GetAttrString(from, "set_local_events");
    monitoring.register_callback = PyObject_GetAttrString(from, "register_callback");
    PyObject *all = PyObject_GetAttrString(from, "events");
    if (disable == NULL || monitoring.set_events == NULL || monitoring.set_local_events == NULL
        || monitoring.register_callback == NULL || all == NULL) {
        return 0;
    }
    for (int i = 0; i < EVENTS; i++) {
        event_objects[i] = PyObject_GetAttrString(all, callbacks[i].event);
        if (event_objects[i] == NULL) {
            return 0;
        }
        event_bits[i] = PyLong_AsLong(event_objects[i]);
    }
    Py_DECREF(all);
    PyObject *sys = PyImport_ImportModule("sys");
    sys_dict = sys ? Py_NewRef(PyModule_GetDict(sys)) : NULL;
    Py_XDECREF(sys);
    if (sys_dict == NULL) {
        return 0;
    }
    if (PyType_Ready(&callback_type) != 0) {
        return 0;
    }
    PyObject *own = PyObject_GetAttrString((PyObject *)&PyType_Type, "__dict__");
    if (own == NULL) {
        return 0;
    }
    type_module = PyMapping_GetItemString(own, "__module__");
    type_qualname = PyMapping_GetItemString(own, "__qualname__");
    Py_DECREF(own);
    static const struct { PyObject **place; const char *text; } words[] = {
        {&word.coro_attr, "_coro"}, {&word.must_cancel, "_must_cancel"}, {&word.name_attr, "_name"},
        {&word.self_attr, "__self__"}, {&word.when_attr, "_when"}, {&word.loop_attr, "_loop"}, {&word.time, "time"},
        {&word.parent_task, "_parent_task"}, 
        {&word.origin, "origin"}, {&word.children, "_children"}, {&word.callbacks, "_callbacks"},
        {&word.fut_waiter, "_fut_waiter"}, {&word.state_attr, "_state"}, {&word.exception_attr, "_exception"},
        {&word.tasks_attr, "_tasks"},
        {&word.callback_attr, "_callback"}, {&word.task_name, "name"}, {&word.kwargs, "kwargs"}, {&word.is_guest, "is_guest"},
        {&word.clock, "clock"}, {&word.offset, "offset"}, {&word.lock, "_lock"}, {&word.exceptions, "exceptions"},
        {&word.integer, "int"}, {&word.nursery, "nursery"}, {&word.runner, "runner"}, {&word.deadline, "deadline"},
        {&word.job, "job"}, {&word.sync_fn, "sync_fn"}, {&word.self, "self"}, {&word.callback, "callback"},
        {&word.args, "args"}, {&word.when, "when"}, {&word.handle, "handle"}, {&word.timeout, "timeout"},
        {&word.inner, "inner"}, {&word.coro, "coro"}, {&word.fs, "fs"}, {&word.todo, "todo"}, {&word.task, "task"},
        {&word.next, "__next__"}, {&word.process_events, "_process_events"}, {&word.modules, "modules"}, {NULL, NULL},
    };
    for (int i = 0; words[i].place != NULL; i++) {
        *words[i].place = PyUnicode_InternFromString(words[i].text);
        if (*words[i].place == NULL) {
            return 0;
        }
    }
    if (!type_module || !type_qualname) {
        return 0;
    }
    if (pthread_atfork(NULL, NULL, forked) != 0) {
        PyErr_NoMemory();
        return 0;
    }
    return done = 1;
}

static int init(PyObject *m)
{
    if (!is_ours_to_read(Py_Version)) {
        PyErr_Format(PyExc_ImportError, "it was built for Python %s", PY_VERSION);
        return 0;
    }
    if (!init_process()) {
        return 0;
    }
    return PyModule_AddStringConstant(m, "NAME", "c") == 0;
}

PyMODINIT_FUNC PyInit__core(void)
{
    PyObject *m = PyModule_Create(&module);
    if (m != NULL && !init(m)) {
        Py_CLEAR(m);
    }
    return m;
}
