/* What is known of the handles that a loop runs, by their address alone (the twin, as for all else: pycore/objects.py).
 *
 * They are many, live for a turn of the loop, and come at few addresses again and again: a weak reference each costs as much as
 * all else that is told of one. So nothing says when one goes. Where there is room for no more it is looked which of them
 * are still there: by way of the kernel, since their memory may not be. Knows what a handle looks like in memory. Does not
 * know what the numbers mean (maps.c). */

typedef struct {
    void *address;   /* NULL: free */
    void *callback;  /* what it was to call then: another one in its place mostly calls another */
    uint32_t value;  /* 0: nothing, it is gone */
} KnownHandle;

static struct {
    KnownHandle *all;
    uint32_t mask, used, most;
    int refused; /* the kernel doesn't let us look, so that what is new has weak references */
} handles;

enum { LEAST_HANDLES = 512, LOOKED_AT_ONCE = 64, LARGEST_HANDLE = 128 };

/* Where it keeps what it calls; 0: it is none of asyncio's own, or of another making than we know. */
static inline Py_ssize_t callback_place(PyObject *handle)
{
    if (UNLIKELY(aio.handle == NULL)) {
        aio.handle = module_attr("asyncio.events", "Handle");
        PyObject *slot = aio.handle != NULL && PyType_Check(aio.handle)
                             ? _PyType_Lookup((PyTypeObject *)aio.handle, word.callback_attr) : NULL; /* borrowed */
        PyMemberDef *its = slot != NULL && Py_TYPE(slot) == &PyMemberDescr_Type ? ((PyMemberDescrObject *)slot)->d_member : NULL;
        int fits = its != NULL && its->type == Py_T_OBJECT_EX && its->offset + (Py_ssize_t)sizeof(PyObject *) <= LARGEST_HANDLE;
        aio.callback_place = fits ? its->offset : 0;
    }
    return LIKELY((PyObject *)Py_TYPE(handle) == aio.handle) ? aio.callback_place : 0;
}

static inline void *callback_at(const void *handle)
{
    return *(void *const *)((const char *)handle + aio.callback_place);
}

/* What a handle calls: a new reference, or NULL. */
static PyObject *callback_of(PyObject *handle)
{
    return LIKELY(callback_place(handle)) ? Py_XNewRef((PyObject *)callback_at(handle)) : get(handle, word.callback_attr);
}

/* Its place, or the free one where it would be. There is a table. */
static inline KnownHandle *find_handle(void *address)
{
    for (uint32_t i = known_bucket(address, 0, handles.mask);; i = (i + 1) & handles.mask) {
        KnownHandle *one = &handles.all[i];
        if (one->address == address || one->address == NULL) {
            return one;
        }
    }
}

static void clear_handles(void)
{
    free(handles.all);
    memset(&handles, 0, sizeof handles);
}

/* Copy what lies at these addresses, one after the other, as far as there is something: how many; -1: the kernel won't. */
static int copy_handles(KnownHandle *const *some, int n, char *copies, size_t size)
{
#ifdef __APPLE__
    int done = 0;
    while (done < n && copy_memory(copies + (size_t)done * size, some[done]->address, size)) {
        done++;
    }
    return done;
#else
    struct iovec there[LOOKED_AT_ONCE], here = {copies, (size_t)n * size};
    for (int i = 0; i < n; i++) {
        there[i] = (struct iovec){some[i]->address, size};
    }
    ssize_t done = process_vm_readv(getpid(), &here, 1, there, (unsigned long)n, 0);
    return done >= 0 ? (int)((size_t)done / size) : errno == EFAULT ? 0 : -1;
#endif
}

/* Of so many, forget those that are gone. How many stay; -1: the kernel won't say. */
static int forget_gone_handles(KnownHandle *const *some, int n)
{
    _Alignas(PyObject) char copies[LOOKED_AT_ONCE * LARGEST_HANDLE];
    size_t size = ((size_t)aio.callback_place + sizeof(PyObject *) + 7) & ~(size_t)7;
    int stay = 0;
    for (int done = 0; done < n; done++) { /* one that isn't readable ends a look, and is gone */
        int seen = copy_handles(some + done, n - done, copies, size);
        if (seen < 0) {
            return -1;
        }
        for (int i = 0; i < seen; i++, done++) {
            char *copy = copies + (size_t)i * size;
            int is = Py_REFCNT((PyObject *)copy) > 0 && (PyObject *)Py_TYPE((PyObject *)copy) == aio.handle
                     && (callback_at(copy) == some[done]->callback || callback_at(copy) == Py_None); /* that: it was cancelled */
            some[done]->value = is ? some[done]->value : 0;
            stay += is;
        }
        if (done < n) {
            some[done]->value = 0;
        }
    }
    return stay;
}

/* Make a table of those that are there, with room for as many more. 0: no memory, or the kernel won't say. */
RARE int make_room_for_handles(void)
{
    KnownHandle *some[LOOKED_AT_ONCE], *was = handles.all;
    uint32_t kept = 0, mask = 1023, size = was != NULL ? handles.mask + 1 : 0;
    for (uint32_t i = 0; i < size && !handles.refused;) {
        int n = 0;
        for (; i < size && n < LOOKED_AT_ONCE; i++) {
            if (was[i].value) {
                some[n++] = &was[i];
            }
        }
        int stay = forget_gone_handles(some, n);
        handles.refused = stay < 0;
        kept += stay > 0 ? (uint32_t)stay : 0;
    }
    uint32_t most = kept * 2 > LEAST_HANDLES ? kept * 2 : LEAST_HANDLES;
    while (most * 2 > mask) {
        mask = mask * 2 + 1;
    }
    KnownHandle *all = handles.refused ? NULL : calloc((size_t)mask + 1, sizeof *all);
    if (all == NULL) {
        return 0;
    }
    handles.all = all;
    handles.mask = mask;
    handles.most = most;
    handles.used = kept;
    for (uint32_t i = 0; i < size; i++) {
        if (was[i].value) {
            *find_handle(was[i].address) = was[i];
        }
    }
    free(was);
    return 1;
}

/* 0: nothing is known */
static uint32_t recall_handle(PyObject *handle)
{
    KnownHandle *one = handles.all != NULL ? find_handle(handle) : NULL;
    return one != NULL && one->address != NULL ? one->value : recall(handle, TAG_HANDLE);
}

static void remember_handle(PyObject *handle, uint32_t value)
{
    if (UNLIKELY(!callback_place(handle))) {
        remember(handle, TAG_HANDLE, value, handle);
        return;
    }
    KnownHandle *one = LIKELY(handles.all != NULL) ? find_handle(handle) : NULL;
    if (UNLIKELY(one == NULL || one->address == NULL)) {
        if (handles.used >= handles.most) {
            if (!make_room_for_handles()) {
                remember(handle, TAG_HANDLE, value, handle);
                return;
            }
            one = find_handle(handle);
        }
        handles.used++;
    }
    *one = (KnownHandle){handle, callback_at(handle), value};
}
