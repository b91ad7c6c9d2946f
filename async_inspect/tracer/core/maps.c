/* Maps: three numbers to one; and what is known of objects by their address. */

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

/* What is known of an object by its address. An entry outlives its object; each kind says why that does no harm. */
enum {
    TAG_RESOURCE, /* -> resource id: a new one's __init__ is seen, and begins a new entry */
    TAG_HANDLE,   /* -> callback id, or how it came among what the loop runs: it is put there anew each time */
    TAG_POSTED,   /* a callback -> its id, as long as its handle isn't known */
    TAG_SHIELD,   /* -> 1: worth to ask the future itself */
    TAG_TASK,     /* the frame of a task's root -> its id, after its end, too: whoever asks holds the task */
    TAG_SCOPE,    /* a cancel scope -> the site where it was made: its __init__ is seen */
    TAG_FRESH     /* a generator's frame -> 1: it has not yielded yet; its start is seen */
};
enum { HANDLE_IO = 0xFFFFFFFF, HANDLE_SIGNAL = 0xFFFFFFFE, NOTHING = 0xFFFFFFFD };

static uint32_t thing(void *address, uint32_t tag)
{
    Entry *e = map_find(&R.things, (uint32_t)(uintptr_t)address, (uint32_t)((uint64_t)(uintptr_t)address >> 32), tag);
    return e && e->value != (uint32_t)NOTHING ? e->value : 0;
}

/* `value` 0: nothing is known, as of a site for which there was no memory. */
static void set_thing(void *address, uint32_t tag, uint32_t value)
{
    value = value ? value : (uint32_t)NOTHING;
    map_set(&R.things, (uint32_t)(uintptr_t)address, (uint32_t)((uint64_t)(uintptr_t)address >> 32), tag, value);
}
