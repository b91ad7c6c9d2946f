/* At `awaits`: whom a root's frame awaits, frame by frame, and the id of that chain (the twin: pycore/chains.py, which is told
 * by each coroutine's own events; this is told by the frames alone).
 *
 * Knows how to go inward from frame to frame, by what lies on each one's stack; and outward, by who runs below whom. Does not
 * know which event asks. */

/* Where a suspended frame stands, as the event of its suspension says; what comes next there is a RESUME. */
static inline int yielded_at(Frame *f, PyCodeObject *code)
{
#if PY_VERSION_HEX < 0x030D0000
    return frame_lasti(f, code);
#else
    return frame_lasti(f, code) - 2; /* it stands after what suspended it */
#endif
}

/* Whether a frame stands where it yields: it is suspended, or an exception is on its way through it. */
RARE int stands_still(Frame *f)
{
    PyCodeObject *code = frame_code(f);
    CodeInfo *info = entry_of(code);
    int i = yielded_at(f, code) / 2;
    return info != NULL && (info->stands != NULL || look_at_code(info, code)) && i >= 0 && i + 1 < info->stands_len
           && info->stands[i] & AT_YIELD && info->stands[i + 1] & AT_YIELD;
}

/* The frame that a suspended one awaits, be it a plain generator's; NULL: what it waits for has none. `yields`: the one that
 * has just yielded, at `off`, if one has. */
static inline Frame *frame_inside(Frame *f, PyCodeObject *code, Frame *yields, int off)
{
    int yields_now = f == yields;
    if (UNLIKELY(!is_await(code, yields_now ? off : yielded_at(f, code)))) {
        return NULL;
    }
    PyObject *o = on_stack(f, yields_now ? AWAITED_AS_IT_YIELDS : AWAITED);
    if (UNLIKELY(o == NULL)) {
        return NULL;
    }
    if (!PyCoro_CheckExact(o) && !PyGen_CheckExact(o)) {
        o = inside(o);
        if (o == NULL) {
            return NULL;
        }
    }
    int state = generator_state(o);
    Frame *inner = generator_frame(o);
    if (UNLIKELY(state == FRAME_CREATED || state >= ENDED)) {
        return NULL;
    }
    return UNLIKELY(state == FRAME_EXECUTING) && inner != yields && !stands_still(inner) ? NULL : inner;
}

/* A coroutine's code, when first seen: what sources want of it. */
RARE void look_at_role(CodeInfo *info, PyCodeObject *code)
{
    info->probe = P_WATCHED | (wanted_of(code) & ROLES);
    hear(info, code, (info->probe & P_TAKE ? event_bits[B_RETURN] : 0)
                     | (info->kind == CODE_ASYNC_GENERATOR ? event_bits[B_RESUME] : 0)); /* awaited now, a task's step then */
    watch_throws();
    start_watchdog();
}

static inline CodeInfo *role_of(PyCodeObject *code)
{
    CodeInfo *info = entry_of(code);
    if (UNLIKELY(info != NULL && !info->probe)) {
        look_at_role(info, code);
    }
    return info;
}

#define BITS_OF_ROOTS (event_bits[B_RESUME] | event_bits[B_YIELD] | event_bits[B_RETURN] | (LOCAL_THROW ? THROW_BITS : 0))

/* The code of a root, which is heard from now on; NULL: no memory. */
static inline CodeInfo *root_code(PyCodeObject *code)
{
    CodeInfo *info = code_of(code);
    if (UNLIKELY(info != NULL && (info->heard & BITS_OF_ROOTS) != BITS_OF_ROOTS)) {
        role_of(code);
        hear(info, code, BITS_OF_ROOTS);
    }
    return info;
}

/* Room for one more step and one more link. 0: no memory. */
static int make_room_for_step(Coro *c)
{
    uint32_t room = c->room ? 2 * c->room : 8;
    Step *steps = realloc(c->step_of, room * sizeof *steps);
    c->step_of = steps != NULL ? steps : c->step_of;
    Link *links = steps != NULL ? realloc(c->link_of, room * sizeof *links) : NULL;
    if (links == NULL) {
        lose();
        return 0;
    }
    c->link_of = links;
    c->room = room;
    return 1;
}

/* A coroutine's frame at this place of a chain stands otherwise than the last time: its id, defined where it is new. */
static int relink(Coro *c, uint32_t at, PyCodeObject *code, int off)
{
    CodeInfo *info = code_of(code);
    if (info == NULL) {
        return 0;
    }
    role_of(code);
    Link *link = &c->link_of[at], *above = at ? link - 1 : NULL;
    uint32_t node = above ? node_of(above->node, info) : c->node, chain = chain_of(above ? above->chain : 0, node, (uint32_t)off);
    if (at >= c->links || link->chain != chain) {
        *link = (Link){chain, node, (uint32_t)(info->probe & AT_SUSPENSION), NULL};
        c->links = at + 1;
    }
    c->roles |= link->role != 0;
    return chain != 0;
}

/* From the frame at place `n` of a chain on it is not as it was: keep it as it is. Its id; 0: no memory. */
RARE uint32_t rechain(Coro *c, Frame *f, uint32_t n, Frame *yields, int off)
{
    if (c->session != R.session) {
        c->session = R.session;
        c->links = 0;
    }
    if (n == 0) {
        c->roles = 0;
    }
    c->steps = 0;
    for (; f != NULL && generator_state(generator_of(f)) < ENDED; n++) { /* another tool may have closed it just now */
        if (n == c->room && !make_room_for_step(c)) {
            return 0;
        }
        PyCodeObject *code = frame_code(f);
        int at = f == yields ? off : yielded_at(f, code), is_link = (code->co_flags & ASYNC_FLAGS) != 0;
        uint32_t link = n ? (c->step_of[n - 1].link & ~AWAITS) + (uint32_t)is_link : 0;
        if (is_link && !relink(c, link, code, at)) {
            c->links = 0;
            return 0;
        }
        c->step_of[n] = (Step){code->co_version ? stands_at(f) : NULL, code->co_version, link | (is_await(code, at) ? AWAITS : 0)};
        f = frame_inside(f, code, yields, off);
    }
    c->steps = n;
    return c->link_of[c->step_of[n - 1].link & ~AWAITS].chain;
}

/* What a suspended frame's own code says of the suspension. */
static void record_wait_of(Thread *th, Coro *c, Link *link, Frame *f, PyCodeObject *code, uint64_t ts)
{
    if (link->role & P_USE) {
        uint32_t resource = resource_of(f, code);
        if (resource) {
            put(th, USE, ts, c->id, resource, th->top, link->chain, 0);
        }
    }
    if (link->role & (P_MANY | P_CHILDREN | P_UNTIL) && link->told != f) {
        link->told = f; /* once: these stay the same */
        c->tells = 1;
        record_wait_for_others(th, c, link->role, f, code, ts);
    }
}

/* The same of all frames of a chain, from the root on. */
RARE void tell_roles(Thread *th, Coro *c, Frame *yields, int off, uint64_t ts)
{
    uint32_t n = 0;
    for (Frame *f = c->frame; f != NULL && n < c->links;) {
        PyCodeObject *code = frame_code(f);
        if (code->co_flags & ASYNC_FLAGS) {
            if (c->link_of[n].role) {
                record_wait_of(th, c, &c->link_of[n], f, code, ts);
            }
            n++;
        }
        f = frame_inside(f, code, yields, off);
    }
}

/* A coroutine begins of which something is told but once: what was at this place is another. */
RARE void forget_told(Coro *c, Frame *f)
{
    if (c != NULL && c->took == f) {
        c->took = NULL;
    }
    for (uint32_t i = 0; c != NULL && i < c->links; i++) {
        if (c->link_of[i].told == f) {
            c->link_of[i].told = NULL;
        }
    }
}

/* The id of the chain in which `c` is suspended, defined where it is a new one; 0: not known. `yields`: the frame that has just
 * yielded, at `off`; NULL: none has. */
static inline uint32_t chain_at(Coro *c, Frame *yields, int off)
{
    uint32_t n = 0, known = LIKELY(c->session == R.session) ? c->steps : 0;
    Frame *f = c->frame;
    for (; n < known; n++) {
        Step *step = &c->step_of[n];
        if (UNLIKELY(step->stands != stands_at(f) || step->version != frame_code(f)->co_version)) {
            break;
        }
        PyObject *o = step->link & AWAITS ? on_stack(f, f == yields ? AWAITED_AS_IT_YIELDS : AWAITED) : NULL;
        if (LIKELY(o != NULL && (PyCoro_CheckExact(o) || PyGen_CheckExact(o)))) {
            f = generator_frame(o);
            continue;
        }
        f = o != NULL ? frame_inside(f, frame_code(f), yields, off) : NULL;
        if (f == NULL) {
            return c->link_of[step->link & ~AWAITS].chain;
        }
    }
    return rechain(c, f, n, yields, off);
}

/* The frame that awaits the one that runs in `f`, if one does: plain generators are looked through. */
RARE Frame *frame_awaiting(Frame *f, int thrown)
{
    for (Frame *inner = f, *g; (g = below(inner)) != NULL; inner = g) {
        PyCodeObject *code = frame_code(g);
        if (!(code->co_flags & (ASYNC_FLAGS | CO_GENERATOR)) || !is_awaiting(g, entry_of(code), code, inner, &thrown)) {
            return NULL;
        }
        if (code->co_flags & ASYNC_FLAGS) {
            return g;
        }
    }
    return NULL;
}

/* Whether a coroutine awaits the one that runs in `f`: then that is no root. */
static inline int is_awaited(Frame *f)
{
    Frame *g = f->previous;
    if (LIKELY(g != NULL && g->owner == FRAME_OWNED_BY_GENERATOR)) {
        PyCodeObject *code = frame_code(g);
        if (LIKELY(code->co_flags & ASYNC_FLAGS)) {
#if PY_VERSION_HEX < 0x030D0000
            CodeInfo *info = recent[RECENT(code)];
            if (LIKELY(info != NULL && info->last_send == frame_lasti(g, code) && is_of(info, code) && has_on_top(g, f))) {
                return 1;
            }
#else
            int op = g->instr_ptr->op.code;
            if (LIKELY((op == SEND_GEN || op == SEND) && has_on_top(g, f))) {
                return 1;
            }
#endif
        }
    }
    return frame_awaiting(f, 0) != NULL;
}

/* Whether the chain of this root, which is suspended or through which an exception comes, goes through that frame; then it is
 * the passage of what comes from there. */
static int goes_through(Coro *c, Frame *frame)
{
    uint32_t n = 0;
    Frame *f = stands_still(c->frame) ? c->frame : NULL;
    passage.root = NULL;
    while (f != NULL && f != frame) {
        if (n == passage.room) {
            void **frames = realloc(passage.frames, (n ? 2 * n : 64) * sizeof *frames);
            if (frames == NULL) {
                lose();
                return 0;
            }
            passage.frames = frames;
            passage.room = n ? 2 * n : 64;
        }
        passage.frames[n++] = f;
        f = frame_inside(f, frame_code(f), frame, 0);
    }
    passage.count = n;
    passage.root = f != NULL ? c : NULL;
    return f != NULL;
}

static void forget_moved(void)
{
    while (inner.moves > 0) {
        inner.moved[--inner.moves]->moved = 0;
    }
}

static void forget_inner(void)
{
    forget_moved();
    free(inner.all);
    free(inner.moved);
    memset(&inner, 0, sizeof inner);
}

static struct Inner *place_of(void *frame)
{
    uint32_t i = (uint32_t)(((uint64_t)(uintptr_t)frame >> 4) * 0x9E3779B97F4A7C15ull >> 32) & inner.mask;
    while (inner.all[i].frame != NULL && inner.all[i].frame != frame) {
        i = (i + 1) & inner.mask;
    }
    return &inner.all[i];
}

/* Whether a root still is where it was. One that ends while somebody's trace function or callback runs ends without an event,
 * so its memory may be another's by now, or nobody's: the kernel copies it, who doesn't mind. Of a root that is being
 * collected this is true, whose weak references are gone by then. */
static int is_there(Coro *c)
{
    enum { BEFORE_FRAME = OFFSET_OF_FRAME, SIZE = BEFORE_FRAME + sizeof(Frame) };
    _Alignas(16) char copy[SIZE];
    if (c->step || (c->state != ST_ALIVE && c->state != ST_ADOPTED) || !copy_memory(copy, generator_of(c->frame), SIZE)) {
        return 0;
    }
    PyObject *o = (PyObject *)copy;
    if (Py_REFCNT(o) <= 0 || !is_generator(o) || generator_state(o) == FRAME_CREATED || generator_state(o) >= ENDED) {
        return 0;
    }
    CodeInfo *info = known_code(frame_code((Frame *)(copy + BEFORE_FRAME)));
    return info != NULL && info->id == c->code;
}

/* The frames of a suspended root's chain. 0: the table is full. */
static int note_inner(Coro *c)
{
    c->moved = 0;
    if (!is_there(c) || !stands_still(c->frame)) {
        return 1;
    }
    for (Frame *f = frame_inside(c->frame, frame_code(c->frame), NULL, 0); f != NULL; f = frame_inside(f, frame_code(f), NULL, 0)) {
        if (inner.used * 2 > inner.mask) {
            return 0;
        }
        struct Inner *one = place_of(f);
        inner.used += one->frame == NULL;
        *one = (struct Inner){f, c, c->serial};
    }
    return 1;
}

/* Of all roots, in a table that is large enough. 0: no memory. */
static int note_all_inner(void)
{
    forget_moved();
    for (uint32_t size = 1u << 12; size <= 1u << 28; size *= 2) {
        int fits = 1;
        free(inner.all);
        inner.all = calloc(size, sizeof *inner.all);
        inner.mask = size - 1;
        inner.used = 0;
        for (uint32_t i = 0; inner.all != NULL && fits && i <= R.bucket_mask; i++) {
            for (Coro *c = R.buckets[i]; c != NULL && fits; c = c->next) {
                fits = note_inner(c);
            }
        }
        if (inner.all == NULL || (fits && inner.used * 4 <= inner.mask)) { /* with room for more */
            break;
        }
    }
    return inner.all != NULL;
}

/* A root has stopped, since the table was made. */
RARE void has_moved(Coro *c)
{
    if (inner.moves == inner.room) {
        uint32_t room = inner.room ? 2 * inner.room : 64;
        Coro **moved = realloc(inner.moved, room * sizeof *moved);
        if (moved == NULL) {
            forget_inner(); /* it is made anew for who asks */
            return;
        }
        inner.moved = moved;
        inner.room = room;
    }
    inner.moved[inner.moves++] = c;
    c->moved = 1;
}

/* The suspended root whose chain goes through a frame, or NULL. All of them are walked once, then those that have stopped since
 * the last time. */
RARE Coro *find_inner(Frame *f)
{
    int good = inner.all != NULL;
    while (good && inner.moves > 0) {
        good = note_inner(inner.moved[--inner.moves]);
    }
    if (!good && !note_all_inner()) {
        lose();
        forget_inner();
        return NULL;
    }
    struct Inner *one = place_of(f);
    return one->frame != NULL && one->serial == one->root->serial && is_there(one->root) ? one->root : NULL;
}
