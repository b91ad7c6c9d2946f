/* Three numbers to one; and what is known of objects by their address (the twin of that: pycore/objects.py).
 *
 * Knows when an object is gone, without keeping it alive. Does not know what the numbers mean. */

static inline uint32_t mix(uint32_t a, uint32_t b, uint32_t c)
{
    uint64_t h = (((uint64_t)a << 32 | b) ^ (uint64_t)c * 0xC2B2AE3D27D4EB4Full) * 0x9E3779B97F4A7C15ull;
    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

static Entry *map_find(Map *m, uint32_t a, uint32_t b, uint32_t c)
{
    if (m->entries == NULL) {
        return NULL;
    }
    for (uint32_t i = mix(a, b, c) & m->mask;; i = (i + 1) & m->mask) {
        Entry *e = &m->entries[i];
        if (!e->value || (e->a == a && e->b == b && e->c == c)) {
            return e;
        }
    }
}

static int map_set(Map *m, uint32_t a, uint32_t b, uint32_t c, uint32_t value)
{
    if (m->entries == NULL || m->used * 2 > m->mask) {
        Map bigger = {NULL, m->entries ? m->mask * 2 + 1 : 1023, m->used};
        bigger.entries = calloc((size_t)bigger.mask + 1, sizeof(Entry));
        if (bigger.entries == NULL) {
            lose();
            return 0;
        }
        for (uint32_t i = 0; m->entries && i <= m->mask; i++) {
            Entry *e = &m->entries[i];
            if (e->value) {
                *map_find(&bigger, e->a, e->b, e->c) = *e;
            }
        }
        free(m->entries);
        *m = bigger;
    }
    assert(value != 0); /* that is a free place */
    Entry *e = map_find(m, a, b, c);
    m->used += e->value == 0;
    *e = (Entry){a, b, c, value};
    return 1;
}

static void map_clear(Map *m)
{
    free(m->entries);
    *m = (Map){0};
}

/* What is known of an object by its address. A weak reference, which calls nobody, says when the object is gone: when the
 * table is full the entries of those that were gone the last time, too, go. Not at once, and nobody asks whether it lives:
 * what the collector is about to finalize has no weak references any more, and may still be asked about. An entry that
 * outlives its object does no harm otherwise; each kind says why. */
enum {
    TAG_RESOURCE, /* -> resource id: a new one's __init__ is seen, and begins a new entry */
    TAG_HANDLE,   /* -> callback id, or how it came among what the loop runs: it is put there anew each time; of most handles.c
                   * knows it */
    TAG_POSTED,   /* a callback -> its id, as long as its handle isn't known */
    TAG_SHIELD,   /* -> 1: worth to ask the future itself */
    TAG_TASK,     /* the frame of the root of a task that failed, or the key of its step -> its id; lives as the task does */
    TAG_SCOPE     /* a cancel scope -> the site where it was made: its __init__ is seen */
};
enum { HANDLE_IO = 0xFFFFFFFF, HANDLE_SIGNAL = 0xFFFFFFFE };
/* Of objects that can have no weak reference (of a class with __slots__) so many are known at most. When there are more,
 * all of them are forgotten, and counted as lost. */
enum { MAX_UNREFERENCED = 1 << 16, LEAST_KNOWN = 256 };

static inline uint32_t known_bucket(void *address, uint32_t tag, uint32_t mask)
{
    return (uint32_t)((((uint64_t)(uintptr_t)address >> 3) + tag) * 0x9E3779B97F4A7C15ull >> 32) & mask;
}

/* Its place, or the free one where it would be. There is a table. */
static Known *find_known(void *address, uint32_t tag)
{
    for (uint32_t i = known_bucket(address, tag, known.mask);; i = (i + 1) & known.mask) {
        Known *one = &known.all[i];
        if (one->address == NULL || (one->address == address && one->tag == tag)) {
            return one;
        }
    }
}

static inline int is_gone(Known *one)
{
    return one->ref != NULL && one->ref->wr_object == Py_None;
}

static void forget_ref(Known *one)
{
    if (one->ref != NULL) {
        Py_CLEAR(one->ref);
    }
    else if (one->value) {
        known.unreferenced--;
    }
}

/* Make a table of those that there is reason to keep, with room for more. 0: no memory, all stays as it was. */
static int make_room_for_known(int unreferenced)
{
    uint32_t kept = 0, gone = 0, mask = 1023, size = known.all != NULL ? known.mask + 1 : 0;
    for (uint32_t i = 0; i < size; i++) {
        if (known.all[i].value && !known.all[i].gone) {
            kept++;
            gone += (uint32_t)is_gone(&known.all[i]);
        }
    }
    /* for as many more as live: what has gone by now must not make it larger each time */
    uint32_t most = kept + (kept - gone > LEAST_KNOWN ? kept - gone : LEAST_KNOWN);
    while (most * 2 > mask) {
        mask = mask * 2 + 1;
    }
    Known *all = calloc((size_t)mask + 1, sizeof *all), *was = known.all;
    if (all == NULL) {
        return 0;
    }
    known.all = all;
    known.mask = mask;
    known.most = most;
    known.used = 0;
    for (uint32_t i = 0; i < size; i++) {
        Known *one = &was[i];
        if (one->value && !one->gone && (one->ref != NULL || unreferenced)) {
            one->gone = (uint8_t)is_gone(one);
            *find_known(one->address, one->tag) = *one;
            known.used++;
        }
        else {
            forget_ref(one);
        }
    }
    free(was);
    return 1;
}

static void clear_known(void)
{
    for (uint32_t i = 0; known.all != NULL && i <= known.mask; i++) {
        forget_ref(&known.all[i]);
    }
    free(known.all);
    memset(&known, 0, sizeof known);
}

/* 0: nothing is known */
static uint32_t recall(void *address, uint32_t tag)
{
    return known.all != NULL ? find_known(address, tag)->value : 0;
}

static void forget(void *address, uint32_t tag)
{
    Known *one = known.all != NULL ? find_known(address, tag) : NULL;
    if (one != NULL && one->address != NULL) {
        forget_ref(one);
        one->value = 0; /* its place is free when a new table is made */
    }
}

/* `owner`: as long as it lives this is known, mostly the object itself; NULL: it isn't known. */
static void remember(void *address, uint32_t tag, uint32_t value, PyObject *owner)
{
    if (value == 0) {
        forget(address, tag);
        return;
    }
    Known *one = known.all != NULL ? find_known(address, tag) : NULL;
    if (one != NULL && one->value && one->ref != NULL && one->ref->wr_object == owner) {
        one->value = value;
        return;
    }
    if (one == NULL || (one->address == NULL && known.used >= known.most)) {
        if (!make_room_for_known(1) && (one == NULL || known.used + 1 > known.mask)) {
            lose();
            return;
        }
    }
    PyObject *ref = NULL;
    if (owner != NULL && PyType_SUPPORTS_WEAKREFS(Py_TYPE(owner)) && (ref = PyWeakref_NewRef(owner, NULL)) == NULL) {
        drop_error();
        forget(address, tag); /* of what was there before */
        return;
    }
    if (ref == NULL && known.unreferenced >= MAX_UNREFERENCED) {
        uint32_t dropped = known.unreferenced;
        if (make_room_for_known(0)) {
            __atomic_fetch_add(&R.header->lost, dropped, __ATOMIC_RELAXED);
        }
    }
    one = find_known(address, tag);
    if (one->address == NULL) {
        known.used++;
    }
    else {
        forget_ref(one);
    }
    known.unreferenced += ref == NULL;
    *one = (Known){address, (PyWeakReference *)ref, value, (uint8_t)tag, 0};
}
