/* All that a recording in progress keeps: the types, and the variables that hold them.
 *
 * Knows what each field means. Does nothing with it but count what is lost. */

enum { HIGH_FD = 1000, MAX_GATHERED = 8, MAX_CONTEXT_VARIABLES = 256 };
enum { ST_CREATED, ST_ALIVE, ST_ITEM, ST_DEAD, ST_ADOPTED }; /* where a coroutine stands; ADOPTED: begun by hand, and then made a task */
#define STEP_KEY(step) ((void *)((uintptr_t)(step) | 1)) /* no frame is there */
#define ASYNC_FLAGS (CO_COROUTINE | CO_ITERABLE_COROUTINE | CO_ASYNC_GENERATOR)

typedef int64_t Actions; /* P_*, bit by bit */

typedef struct CodeInfo {
    struct CodeInfo *next; /* in its hash bucket */
    void *key;             /* where its code object is, or was ... */
    PyWeakReference *ref;  /* ... and whether that lives: no memory that another code got is taken for it */
    uint32_t id;
    uint8_t asked; /* `wanted` is known */
    Actions probe;
    Actions wanted; /* what a source wants of it: of code that is on the stack wherever something is woken */
    const struct Probe *at_start, *at_return; /* what is done then, of a function that is no coroutine's; NULL: nothing */
    uint8_t kind, ends_stack;
    uint8_t returns; /* of what makes tasks: it tells us when it returns */
    uint8_t muted;   /* at `awaits`: somewhere in it RESUME is off for us */
    long heard;      /* likewise: the local events that it has */
    uint16_t *stands;              /* an instruction each: what a frame that stands there does; NULL: not looked yet */
    int stands_len, awaits;        /* awaits: how many await points that are */
    int last_send;                 /* the offset that was found to be a SEND last */
    uint32_t last_parent, last_node;
} CodeInfo;

/* Of a root, at `awaits`: the frames of the chain in which it was suspended last, plain generators' too. As few bytes as
 * there can be: each suspension compares all of them. */
typedef struct Step {
    const void *stands; /* the instruction where it stood, of code of that version, which no other has; NULL: always differs */
    uint32_t version;
    uint32_t link; /* the place of its Link, or of that before it where it is a plain generator's; and AWAITS */
} Step;
enum { AWAITS = 1u << 31 }; /* it stood at an await */

/* What is known of such a frame, if it is a coroutine's. */
typedef struct Link {
    uint32_t chain, node;
    uint32_t role; /* what is to be told of it (AT_SUSPENSION) */
    void *told;    /* the frame of which it was told for whom it waits */
} Link;

typedef struct Coro {
    void *frame;
    struct Coro *next; /* in its hash bucket, or of the free ones */
    struct Coro *child, *awaiter, *root, *outer;
    struct Coro *earlier, *later; /* in R.unrun */
    Py_hash_t name_hash, tags; /* of the name and the tags that were written; 0: none */
    uint32_t id, node, code; /* the code's id, not its entry: that dies with the code, we may not know when this ends */
    int off;
    Actions role; /* ROLES of its code, less what was told */
    uint8_t state, is_task, is_agen;
    uint8_t step;    /* a task that is made of a step of an async generator (create_task(gen.__anext__())): it has an id and
                      * no frame, `child` is the generator, whose `root` it is, and `frame` is STEP_KEY() of the step */
    uint8_t bare;    /* of a root: it only yielded, and is ready at once */
    uint8_t closing; /* a close() runs it: not by way of its awaiter, to whom it doesn't return either */
    /* At `awaits`, where only roots have an entry: */
    uint32_t steps, links, room; /* how many of either are good, and how many there is room for */
    uint32_t session;            /* in which they are */
    Step *step_of;               /* kept when the entry is another's: it may well wait as this one did ... */
    Link *link_of;               /* ... and these */
    void *thrown;    /* the frame below it that an exception was thrown into: its end, or its yield, says what goes on */
    void *took;      /* the frame that needn't say that it took something */
    uint32_t serial; /* how often it stopped, or went on */
    uint8_t roles;   /* something is to be told of some link */
    uint8_t tells;   /* some link has told of a frame */
    uint8_t moved;   /* what find_inner() knows of it is old */
} Coro;

enum { MAX_FRESH = 8 };

/* What runs on a thread. The watchdog reads these without the GIL, so they are never freed: that of a thread which has
 * ended goes to one that begins. No pointer to a PyThreadState is kept: who ends frees it. */
typedef struct Thread {
    struct Thread *next; /* all there are; never changes */
    struct Thread *free; /* those of no thread */
    uint64_t serial;     /* how many polls have ended here: the watchdog looks at this and `top`, from its own thread ... */
    uint64_t watched_serial; /* ... which keeps these two */
    int looks;
    uint64_t seen; /* a poll that it saw twice: `serial` + 1 ... */
    uint64_t seen_at, seen_ran, seen_without; /* ... and when it saw that first, and what the system had counted then ... */
    uint32_t seen_looks, seen_asleep; /* ... and how often it looked, and it slept */
    Coro *top;
    uint64_t tstate_id; /* from here on all is forgotten where another thread begins; 0: of none */
    uint32_t session;
    int prepared;       /* written about before it had an event of its own */
    int index;          /* NOT_YET, NONE_LEFT */
    unsigned long native_id;
    Coro *resume, *up, *up_child, *spawned;
    void *spawner; /* the frame that was making `spawned` a task */
    uint64_t up_ts;
    PyObject *sleeper; /* the future that a timer was just set for (its address), until the next event ... */
    uint64_t due;      /* ... and for when */
    uint64_t asked;    /* when the selector was asked */
    uint64_t moment;   /* at which it adopts what is there, all at once; else 0 */
    int idle;
    void *ended; /* the frame of the task's root that ended last, or the key of its step ... */
    uint32_t ended_id;
    PyObject *scope; /* the cancel scope that the cause() found last is a cancellation of; borrowed, until the next event */
    uint32_t job; /* the callback id of what was posted and runs now */
    void *fresh[MAX_FRESH]; /* the frames of generators that run and have not yielded yet, innermost last */
    int fresh_count;
} Thread;
enum { NOT_YET = -1, NONE_LEFT = -2 };

typedef struct { uint32_t a, b, c, value; } Entry; /* value 0: free */
/* What is known of an object by its address. */
typedef struct {
    void *address; /* NULL: free */
    PyWeakReference *ref;
    uint32_t value; /* 0: nothing */
    uint8_t tag;
    uint8_t gone; /* it was when this table was made */
} Known;
typedef struct { Entry *entries; uint32_t mask, used; } Map;

static struct {
    int on;       /* records; 0 also in a forked child until abandon() */
    int broken_off; /* the file could not grow: nothing is recorded any more; its events are still on where it is 1 */
    int active;   /* between start and stop */
    int stopping; /* somebody is in stop() */
    int ticks;
    uint64_t tick;
    uint32_t session;
    int tool;
    int fd;
    dev_t device; /* of our file, and its path: the program may close descriptors that it doesn't know */
    ino_t inode;
    char *path;
    Header *header; /* the mapping: the header, then the tail */
    size_t header_size;
    uint64_t max_slots;
    uint64_t begun, filled; /* blocks */
    Slot *tail, *pos, *end; /* end: the block's */
    uint64_t last_ts; /* of the event written last, and what ran after it, on which thread */
    uint32_t last_node, last_task;
    int last_thread;
    int full; /* AT_BOUND, NO_ROOM: nothing more is written out */
    int throws_on;
    uint16_t *spare_indexes; /* of threads that have ended; kept once there are no new ones left */
    uint32_t spare_count;
    int spawning; /* threads whose last event made a task */
    char *stdlib;
    size_t stdlib_len;
    uint32_t coros, codes, nodes, strings, sites, chains, threads, resources, callbacks;
    uint32_t future_string; /* the id of "_asyncio.Future", by far the most awaited */
    Coro *unrun, *last_unrun; /* tasks that are made of steps of async generators and have not run */
    Coro *stopped; /* the root that was suspended last */
    Coro **buckets;
    uint32_t bucket_mask, live;
    Map node_map, site_map, chain_map;
    uint32_t run_code; /* the id of Handle._run's */
    int edges, shields, callees;
    int awaits; /* the detail: only roots are heard */
    int wakes;    /* a source asks who wakes whom */
    int prepared; /* threads that were written about before they had an event of their own */
    uint64_t slow_ns;
    PyObject *string_ids;
    PyObject *tag_names;          /* a tuple, or NULL: nobody asked for any ... */
    PyObject *tag_vars[MAX_TAGS]; /* ... and the variables, once found */
} R = {.fd = -1};

static Thread *current;             /* whose event came last */
static __thread Thread *own_thread; /* of a thread; kept over sessions */
static Coro *free_coros;
/* Which root's chain a frame is in: made when somebody first asks, mostly nobody ever does. */
static struct {
    struct Inner { void *frame; Coro *root; uint32_t serial; } *all;
    uint32_t mask, used;
    Coro **moved; /* roots that have stopped since */
    uint32_t moves, room;
} inner;
/* The chain through which an exception goes outward, frame by frame. */
static struct {
    Coro *root;
    void **frames; /* from the root on, as far as it has not come */
    uint32_t count, room;
} passage;
static struct {
    CodeInfo **buckets;
    uint32_t mask, used;
} code_table;
static struct {
    Known *all;
    uint32_t mask, used, most, unreferenced; /* unreferenced: of those that have no weak reference */
} known;
static PyObject *disable, *sys_dict;
static struct {
    PyObject *wanted; /* P_* by the function's qualified name and how its file's path ends ... */
    Actions all;      /* ... and all of these together */
    PyObject *cold;   /* who does those that are rare */
} probes;
static struct { PyObject *set_events, *set_local_events, *register_callback; } monitoring; /* sys.monitoring's functions */
static PyObject *type_module, *type_qualname;
static struct {
    PyObject *current_task, *c_task, *py_task, *future, *get_name, *cancelled, *gathering, *handle, *timer_handle, *running_loop,
        *current_tasks;
    Py_ssize_t name_place, coro_place, step_place; /* in a C Task, and in `step`: see at_place() */
    Py_ssize_t callback_place; /* in `handle`; 0: not to be had */
    int state_has_task; /* a thread's state has its task where we read it; -1: not there, 0: not looked yet */
    PyTypeObject *step; /* what loops call to step a C Task; borrowed, lives with the module ... */
    PyTypeObject *future_iter; /* ... as what awaits a C Future */
} aio;
static struct { PyObject *context, *task, *clock, *checkpoint, *cancelled; } trio;
static struct {
    /* attributes */
    PyObject *coro_attr, *must_cancel, *name_attr, *self_attr, *when_attr, *loop_attr, *time, *parent_task, *origin, *children, *callbacks, *callback_attr,
        *fut_waiter, *state_attr, *tasks_attr, *exception_attr,
        *task_name, *is_guest, *clock, *offset, *lock, *exceptions, *integer;
    /* local variables */
    PyObject *self, *callback, *args, *when, *handle, *timeout, *inner, *coro, *fs, *todo, *nursery, *runner,
        *deadline, *job, *sync_fn, *kwargs, *next;
    /* texts */
    PyObject *task, *process_events, *modules;
} word;
static Thread *all_threads, *free_threads;
static uint32_t threads_used; /* that are of a thread, as far as we looked */

/* Something that would have been written is not; the watchdog may say so without the GIL. Nobody counts what comes after a
 * recording has broken off. */
static inline void lose(void)
{
    if (R.on) { /* else the header is the parent's, or there is none */
        __atomic_fetch_add(&R.header->lost, 1, __ATOMIC_RELAXED);
    }
}

/* An error of what a callback called goes no further. Where memory was short, what would have been told is lost. */
static void drop_error(void)
{
    PyObject *error = PyErr_GetRaisedException();
    if (UNLIKELY(error != NULL)) {
        if (PyErr_GivenExceptionMatches(error, PyExc_MemoryError)) {
            lose();
        }
        Py_DECREF(error);
    }
}
