/* What gets an id and is written once: code objects, await-tree nodes, texts, call sites (the twin: pycore/definitions.py).
 *
 * Knows what can be read off a code object: where its awaits are, and where a frame stands. Knows nothing of coroutines
 * that live, nor of events. */

/* Entries asked for last, by address. */
static CodeInfo *recent[64];
#define RECENT(code) ((uintptr_t)(code) >> 5 & 63)

/* Whether this is the entry of that code object: of a dead one it is nobody's. */
static inline int is_of(CodeInfo *info, PyCodeObject *code)
{
    return info->ref->wr_object == (PyObject *)code;
}

static inline uint32_t code_bucket(void *key, uint32_t mask)
{
    return (uint32_t)((uint64_t)(uintptr_t)key * 0x9E3779B97F4A7C15ull >> 32) & mask;
}

static void free_code_info(CodeInfo *info)
{
    if (recent[RECENT(info->key)] == info) {
        recent[RECENT(info->key)] = NULL;
    }
    Py_DECREF(info->ref);
    free(info->stands);
    free(info);
}

/* Forget the dead; if that was not half of them, make room for twice as many. 0: no memory. */
static int make_room_for_codes(void)
{
    for (uint32_t i = 0; code_table.buckets != NULL && i <= code_table.mask; i++) {
        for (CodeInfo **p = &code_table.buckets[i], *info; (info = *p) != NULL;) {
            if (is_of(info, info->key)) {
                p = &info->next;
            }
            else {
                *p = info->next;
                code_table.used--;
                free_code_info(info);
            }
        }
    }
    if (code_table.buckets != NULL && code_table.used <= code_table.mask / 2) {
        return 1;
    }
    uint32_t mask = code_table.buckets == NULL ? 1023 : code_table.mask * 2 + 1;
    CodeInfo **buckets = calloc((size_t)mask + 1, sizeof *buckets);
    if (buckets == NULL) {
        return code_table.buckets != NULL; /* longer chains will do */
    }
    for (uint32_t i = 0; code_table.buckets != NULL && i <= code_table.mask; i++) {
        for (CodeInfo *info = code_table.buckets[i], *next; info != NULL; info = next) {
            uint32_t at = code_bucket(info->key, mask);
            next = info->next;
            info->next = buckets[at];
            buckets[at] = info;
        }
    }
    free(code_table.buckets);
    code_table.buckets = buckets;
    code_table.mask = mask;
    return 1;
}

static void clear_codes(void)
{
    for (uint32_t i = 0; code_table.buckets != NULL && i <= code_table.mask; i++) {
        for (CodeInfo *info = code_table.buckets[i], *next; info != NULL; info = next) {
            next = info->next;
            free_code_info(info);
        }
    }
    free(code_table.buckets);
    memset(&code_table, 0, sizeof code_table);
}

/* An exact str of the same text (a new reference, or NULL): a subclass may have methods of its own. */
static PyObject *exact(PyObject *text)
{
    PyObject *same = PyUnicode_CheckExact(text) ? Py_NewRef(text) : PyUnicode_FromObject(text);
    if (same == NULL) {
        drop_error();
    }
    return same;
}

static int has_prefix(PyObject *text, const char *prefix, size_t len)
{
    Py_ssize_t n;
    const char *s = PyUnicode_AsUTF8AndSize(text, &n);
    if (s == NULL) {
        drop_error();
        return 0;
    }
    return (size_t)n >= len && memcmp(s, prefix, len) == 0;
}

#define GENERATED "__create_fn__." /* see events.py */

static int ends_stack(PyCodeObject *code)
{
    if (PyUnicode_CompareWithASCIIString(code->co_qualname, "Handle._run") == 0) {
        return 1;
    }
    const char *file = PyUnicode_AsUTF8(code->co_filename);
    if (file == NULL) {
        drop_error();
        return 1;
    }
    if (has_prefix(code->co_qualname, GENERATED, sizeof GENERATED - 1)) {
        return 0;
    }
    return !(has_prefix(code->co_filename, R.stdlib, R.stdlib_len) || strncmp(file, "<frozen ", 8) == 0
             || strncmp(file, "<attrs ", 7) == 0
             || strstr(file, "/site-packages/") || strstr(file, "/dist-packages/"));
}

/* The text as our UTF-8; never fails but for memory (then NULL, no error set). */
static PyObject *utf8(PyObject *text)
{
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (bytes == NULL) {
        drop_error();
    }
    return bytes;
}

/* What a frame that stands at an instruction does: bits of CodeInfo.stands; above these, at an await, one more than the place
 * on its stack where the awaited one lies (0: not known). */
enum { AT_SEND = 1, AT_YIELD = 2, AT_AWAIT = 4, AT_ITEM = 8, PLACE = 4 };

static int next_number(const unsigned char **at, const unsigned char *end)
{
    int number = 0;
    while (*at < end) {
        int byte = *(*at)++;
        number = number << 6 | (byte & 63);
        if (!(byte & 64)) {
            break;
        }
    }
    return number;
}

/* Where the awaited ones lie: what handles an exception at an await is handed them, and so says how deep the stack is there. */
static void find_awaited(CodeInfo *info, PyCodeObject *code, const unsigned char *ops)
{
    const unsigned char *at = (const unsigned char *)PyBytes_AS_STRING(code->co_exceptiontable);
    const unsigned char *end = at + PyBytes_GET_SIZE(code->co_exceptiontable);
    while (at < end) {
        int first = next_number(&at, end), size = next_number(&at, end), handler = next_number(&at, end);
        int depth = next_number(&at, end) >> 1, place = depth - (PY_VERSION_HEX < 0x030F0000 ? 2 : 3);
        if (handler >= info->stands_len || ops[2 * handler] != CLEANUP_THROW || place < 0 || place >= 0xFFFF >> PLACE) {
            continue;
        }
        for (int i = first; i >= 0 && i < first + size && i < info->stands_len; i++) {
            int begin = i, stop = i + (info->stands[i] & AT_YIELD && i + 1 < info->stands_len && info->stands[i + 1] & AT_YIELD);
            while (begin > 0 && info->stands[begin - 1] & AT_SEND) {
                begin--;
            }
            for (int k = begin; info->stands[i] & AT_YIELD && k <= stop; k++) {
                info->stands[k] |= (uint16_t)((place + 1) << PLACE);
            }
        }
    }
}

RARE int look_at_code(CodeInfo *info, PyCodeObject *code)
{
    PyObject *bytes = PyCode_GetCode(code);
    if (bytes == NULL) {
        drop_error();
        return 0;
    }
    const unsigned char *ops = (const unsigned char *)PyBytes_AS_STRING(bytes);
    int n = (int)(PyBytes_GET_SIZE(bytes) / 2);
    info->stands = calloc((size_t)n + 1, sizeof *info->stands);
    if (info->stands != NULL) {
        info->stands_len = n;
        info->awaits = 0;
        for (int i = 0; i < n; i++) {
            int op = ops[2 * i], next = i + 1 < n ? ops[2 * i + 2] : -1;
            if (op == SEND || (op == YIELD_VALUE && info->kind == CODE_GENERATOR_BASED)) {
                info->stands[i] |= AT_AWAIT;
                info->awaits++;
            }
            if (op == SEND) {
                info->stands[i] |= AT_SEND;
                if (next == CACHE) {
                    info->stands[i + 1] |= AT_SEND; /* where 3.12 says it stands */
                }
            }
            if (op == YIELD_VALUE) {
                info->stands[i] |= AT_YIELD;
                if (next == RESUME) {
                    info->stands[i + 1] |= AT_YIELD;
                }
                if (i > 0 && ops[2 * i - 2] == CALL_INTRINSIC_1 && ops[2 * i - 1] == INTRINSIC_ASYNC_GEN_WRAP) {
                    info->stands[i] |= AT_ITEM;
                }
            }
        }
        find_awaited(info, code, ops);
    }
    else {
        lose();
    }
    Py_DECREF(bytes);
    return info->stands != NULL;
}

/* The text of a code: file NUL name NUL table, then the offsets where it awaits. */
static void define_code(CodeInfo *info, PyCodeObject *code)
{
    int says = info->kind != CODE_PLAIN && (info->stands != NULL || look_at_code(info, code));
    PyObject *file = utf8(code->co_filename), *name = utf8(code->co_qualname);
    Py_ssize_t f = file ? PyBytes_GET_SIZE(file) : 0, n = name ? PyBytes_GET_SIZE(name) : 0;
    Py_ssize_t l = PyBytes_GET_SIZE(code->co_linetable), len = f + n + l + 2;
    char *text = file && name ? malloc((size_t)len + (says ? 4 * (size_t)info->awaits : 0)) : NULL;
    if (text == NULL) {
        lose();
    }
    else {
        memcpy(text, PyBytes_AS_STRING(file), (size_t)f + 1);
        memcpy(text + f + 1, PyBytes_AS_STRING(name), (size_t)n + 1);
        memcpy(text + f + n + 2, PyBytes_AS_STRING(code->co_linetable), (size_t)l);
        for (int i = 0; says && i < info->stands_len; i++) {
            if (info->stands[i] & AT_AWAIT) {
                uint32_t off = 2 * (uint32_t)i;
                memcpy(text + len, &off, 4);
                len += 4;
            }
        }
        put_definition(CODE, info->id, (uint32_t)code->co_firstlineno, (uint32_t)len, info->kind, says ? (uint32_t)l : 0);
        put_text(text, (size_t)len);
        free(text);
    }
    Py_XDECREF(file);
    Py_XDECREF(name);
}

/* The entry of a code object, if it has one. */
static inline CodeInfo *known_code(PyCodeObject *code)
{
    CodeInfo *info = code_table.buckets != NULL ? code_table.buckets[code_bucket(code, code_table.mask)] : NULL;
    while (info != NULL && !is_of(info, code)) {
        info = info->next;
    }
    return info;
}

static uint32_t node_of(uint32_t parent, CodeInfo *info)
{
    if (LIKELY(info->last_node && info->last_parent == parent)) {
        return info->last_node;
    }
    if (parent == OTHER_NODE) {
        return parent;
    }
    Entry *e = map_find(&R.node_map, parent, info->id, 0);
    uint32_t node = e ? e->value : 0;
    if (!node) {
        if (R.nodes >= MAX_NODES || !map_set(&R.node_map, parent, info->id, 0, R.nodes + 1)) {
            return OTHER_NODE;
        }
        node = ++R.nodes;
        put_definition(NODE, node, parent, info->id, 0, 0);
    }
    info->last_parent = parent;
    info->last_node = node;
    return node;
}

/* The ids of types' names that were asked for last. A name is still the same where the type is (no two have one version) and
 * its qualified name, of which the version says nothing: that text is kept. */
static struct { PyTypeObject *cls; PyObject *qualname; uint32_t version, id; } recent_types[32];

static void clear_recent_types(void)
{
    for (size_t i = 0; i < sizeof recent_types / sizeof *recent_types; i++) {
        Py_XDECREF(recent_types[i].qualname);
    }
    memset(recent_types, 0, sizeof recent_types);
}

/* The id of a text (a new reference, consumed; NULL: 0). */
static uint32_t string_of(PyObject *some)
{
    uint32_t id = 0;
    PyObject *text = some != NULL ? exact(some) : NULL;
    Py_XDECREF(some);
    if (text == NULL) {
        drop_error();
        return 0;
    }
    PyObject *known = PyDict_GetItemWithError(R.string_ids, text);
    if (known != NULL) {
        id = (uint32_t)PyLong_AsUnsignedLong(known);
    }
    else {
        if (PyDict_GET_SIZE(R.string_ids) >= MAX_STRINGS) { /* what comes again is defined again */
            PyDict_Clear(R.string_ids);
            clear_recent_types();
            R.future_string = 0;
        }
        PyObject *data = utf8(text), *number = PyLong_FromUnsignedLong(R.strings + 1);
        if (data != NULL && number != NULL && PyDict_SetItem(R.string_ids, text, number) == 0) {
            id = ++R.strings;
            put_definition(STRING, id, 0, (uint32_t)PyBytes_GET_SIZE(data), 0, 0);
            put_text(PyBytes_AS_STRING(data), (size_t)PyBytes_GET_SIZE(data));
        }
        Py_XDECREF(data);
        Py_XDECREF(number);
    }
    drop_error();
    Py_DECREF(text);
    return id;
}

static PyObject *describe(PyObject *descriptor, PyTypeObject *cls)
{
    PyObject *value = Py_TYPE(descriptor)->tp_descr_get(descriptor, (PyObject *)cls, (PyObject *)&PyType_Type);
    if (value == NULL) {
        drop_error();
    }
    return value;
}

static PyObject *type_name(PyTypeObject *cls)
{
    /* through type's own descriptors: a metaclass of the program has no say */
    PyObject *module = describe(type_module, cls), *name = describe(type_qualname, cls), *text;
    if (name == NULL) {
        text = NULL;
    }
    else if (module == NULL || !PyUnicode_CheckExact(module)
             || PyUnicode_CompareWithASCIIString(module, "builtins") == 0) {
        text = Py_NewRef(name);
    }
    else {
        text = PyUnicode_FromFormat("%U.%U", module, name);
    }
    Py_XDECREF(module);
    Py_XDECREF(name);
    return text;
}

static uint32_t type_of(PyTypeObject *cls)
{
    size_t i = (uintptr_t)cls >> 5 & 31;
    PyObject *qualname = cls->tp_flags & Py_TPFLAGS_HEAPTYPE ? ((PyHeapTypeObject *)cls)->ht_qualname : NULL;
    uint32_t version = cls->tp_version_tag;
    if (LIKELY(recent_types[i].cls == cls && recent_types[i].version == version && recent_types[i].qualname == qualname)) {
        return recent_types[i].id;
    }
    uint32_t id = string_of(type_name(cls));
    if (id && version && version == cls->tp_version_tag && (qualname == NULL || PyUnicode_CheckExact(qualname))) {
        Py_XSETREF(recent_types[i].qualname, Py_XNewRef(qualname));
        recent_types[i].cls = cls;
        recent_types[i].version = version;
        recent_types[i].id = id;
    }
    return id;
}

RARE CodeInfo *new_code(PyCodeObject *code)
{
    int room = (code_table.buckets != NULL && code_table.used <= code_table.mask) || make_room_for_codes();
    CodeInfo *info = room ? calloc(1, sizeof *info) : NULL;
    if (info == NULL) {
        lose();
        return NULL;
    }
    info->ref = (PyWeakReference *)PyWeakref_NewRef((PyObject *)code, NULL);
    if (info->ref == NULL) {
        drop_error();
        free(info);
        return NULL;
    }
    CodeInfo **at = &code_table.buckets[code_bucket(code, code_table.mask)];
    info->key = code;
    info->next = *at;
    *at = info;
    code_table.used++;
    info->last_send = -1;
    info->ends_stack = (uint8_t)ends_stack(code);
    int flags = code->co_flags;
    info->kind = flags & CO_COROUTINE         ? CODE_COROUTINE
               : flags & CO_ASYNC_GENERATOR   ? CODE_ASYNC_GENERATOR
               : flags & CO_ITERABLE_COROUTINE ? CODE_GENERATOR_BASED
                                              : CODE_PLAIN;
    return info;
}

/* The entry of a code object, which need not be defined yet. */
OFTEN CodeInfo *entry_of(PyCodeObject *code)
{
    CodeInfo *info = recent[RECENT(code)];
    if (LIKELY(info != NULL && is_of(info, code))) {
        return info;
    }
    info = known_code(code);
    if (info == NULL) {
        info = new_code(code);
    }
    return recent[RECENT(code)] = info;
}

OFTEN CodeInfo *code_of(PyCodeObject *code)
{
    CodeInfo *info = entry_of(code);
    if (UNLIKELY(info != NULL && !info->id)) {
        info->id = ++R.codes;
        define_code(info, code);
    }
    return info;
}

/* The id of a chain: of a frame that stands at `off`, awaited by those of `parent` (0: a root's); 0: no memory. */
static uint32_t chain_of(uint32_t parent, uint32_t node, uint32_t off)
{
    Entry *e = map_find(&R.chain_map, parent, node, off);
    if (e != NULL && e->value) {
        return e->value;
    }
    if (R.chain_map.used >= MAX_CHAINS) { /* what comes again is defined again */
        map_clear(&R.chain_map);
    }
    if (!map_set(&R.chain_map, parent, node, off, R.chains + 1)) {
        return 0;
    }
    put_definition(CHAIN, ++R.chains, parent, off, 0, node);
    return R.chains;
}

/* The stacks that were asked for last, by where the innermost frame stood. */
static struct Walk {
    uint32_t count, site; /* frames; 0: none */
    const void *stands[MAX_SITE_FRAMES]; /* an instruction each, of code of that version, which no other has */
    uint32_t version[MAX_SITE_FRAMES];
} walks[128];
#define WALK(stands) (&walks[(uint64_t)((uintptr_t)(stands) >> 1) * 0x9E3779B97F4A7C15ull >> 57])

static void clear_sites(void)
{
    map_clear(&R.site_map);
    memset(walks, 0, sizeof walks);
}

/* The id of a frame of that code that stands there and called the one of `inner` (0: nobody); 0: no memory. */
static uint32_t site_from(uint32_t inner, CodeInfo *info, int lasti)
{
    Entry *e = map_find(&R.site_map, inner, info->id, (uint32_t)lasti);
    if (e != NULL && e->value) {
        return e->value;
    }
    if (R.site_map.used >= MAX_SITES) { /* mostly of code that is made anew for ever; what comes again is defined again */
        clear_sites();
    }
    if (!map_set(&R.site_map, inner, info->id, (uint32_t)lasti, R.sites + 1)) {
        return 0;
    }
    put_definition(SITE, ++R.sites, inner, (uint32_t)lasti, 0, info->id);
    return R.sites;
}

/* See site_of(); where it came to its end that is noted. */
static uint32_t walk_stack(Frame *f, int whole, struct Walk *walk)
{
    uint32_t site = 0;
    for (uint32_t i = 0; i < MAX_SITE_FRAMES && f != NULL; f = below(f)) {
        PyCodeObject *code = frame_code(f);
        CodeInfo *info = code_of(code);
        uint32_t outer = info != NULL ? site_from(site, info, frame_lasti(f, code)) : 0;
        if (!outer) {
            break;
        }
        site = outer;
        walk->stands[i] = code->co_version ? stands_at(f) : NULL;
        walk->version[i++] = code->co_version;
        if (whole ? info->id == R.run_code : info->ends_stack) {
            walk->count = whole ? 0 : i;
            walk->site = site;
            break;
        }
    }
    return site;
}

/* The stack from a frame outward: as far as the program's own code, or `whole`, as far as the loop. */
static uint32_t site_of(Frame *f, int whole)
{
    if (f == NULL) {
        return 0;
    }
    struct Walk *walk = WALK(stands_at(f));
    if (LIKELY(!whole)) {
        uint32_t i = 0;
        for (Frame *g = f; i < walk->count && g != NULL; i++, g = below(g)) {
            if (stands_at(g) != walk->stands[i] || frame_code(g)->co_version != walk->version[i]) {
                break;
            }
        }
        if (LIKELY(walk->count && i == walk->count)) {
            return walk->site;
        }
    }
    walk->count = 0;
    return walk_stack(f, whole, walk);
}

/* Whether a frame awaits: at a SEND, or, where an exception is thrown through it, at a suspended await. */
static inline int stands(CodeInfo *info, PyCodeObject *code, int lasti, int how)
{
    if (LIKELY(how == AT_SEND && lasti == info->last_send)) {
        return 1;
    }
    if (info->stands == NULL && !look_at_code(info, code)) {
        return 0;
    }
    int i = lasti / 2;
    int at = lasti >= 0 && i < info->stands_len ? info->stands[i] : 0;
    if (at & AT_SEND) {
        info->last_send = lasti;
    }
    return at & how;
}

/* Where a suspended frame stands, as the event of its suspension would say. */
static uint32_t suspended_at(CodeInfo *info, Frame *f, PyCodeObject *code)
{
    int lasti = frame_lasti(f, code), i = lasti / 2;
    if (info->stands == NULL) {
        look_at_code(info, code);
    }
    /* from 3.13 on a frame stands after the instruction that suspended it */
    int after = info->stands != NULL && i > 0 && i < info->stands_len && info->stands[i] & 2 && info->stands[i - 1] & 2;
    return (uint32_t)(after ? lasti - 2 : lasti);
}
