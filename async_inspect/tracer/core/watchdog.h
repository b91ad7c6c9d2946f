/* A thread that looks what a poll does that has lasted too long. */

enum { LOOKS = 4 }; /* within the time that is too long */
#ifdef __APPLE__
#define WAIT_CLOCK CLOCK_REALTIME /* the only one that a condition waits by there */
#else
#define WAIT_CLOCK CLOCK_MONOTONIC
#endif
static struct {
    int runs, stop;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
} watchdog = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* With the GIL: what the thread does whose poll still lasts. */
static void look(Thread *th, uint64_t serial)
{
    PyGILState_STATE state = PyGILState_Ensure();
    if (R.on && th->session == R.session && th->serial == serial && th->top != NULL) {
        uint32_t site = site_of(python_frame(current_frame(th->ts)), 1);
        put(th, STACK, now(), th->top->root->id, 0, th->top, site, 0);
    }
    PyGILState_Release(state);
}

static void *watch_polls(void *unused)
{
    pthread_mutex_lock(&watchdog.lock);
    while (!watchdog.stop) {
        struct timespec until;
        clock_gettime(WAIT_CLOCK, &until);
        uint64_t next = (uint64_t)until.tv_nsec + R.slow_ns / LOOKS;
        until.tv_sec += (time_t)(next / 1000000000u);
        until.tv_nsec = (long)(next % 1000000000u);
        pthread_cond_timedwait(&watchdog.wake, &watchdog.lock, &until);
        if (watchdog.stop) {
            break;
        }
        pthread_mutex_unlock(&watchdog.lock);
        /* Without the GIL only these two are read: whether the poll that was there is there still. */
        for (Thread *th = __atomic_load_n(&all_threads, __ATOMIC_ACQUIRE); th != NULL; th = th->next) {
            uint64_t serial = __atomic_load_n(&th->serial, __ATOMIC_RELAXED);
            int same = __atomic_load_n(&th->top, __ATOMIC_RELAXED) != NULL && serial == th->watched_serial;
            th->looks = same ? th->looks + 1 : 0;
            th->watched_serial = serial;
            if (th->looks == LOOKS) {
                look(th, serial);
            }
        }
        pthread_mutex_lock(&watchdog.lock);
    }
    pthread_mutex_unlock(&watchdog.lock);
    return NULL;
}

static void start_watchdog(void)
{
    if (!watchdog.runs && R.slow_ns) {
        sigset_t all, before;
        pthread_condattr_t clock;
        pthread_condattr_init(&clock);
#ifndef __APPLE__
        pthread_condattr_setclock(&clock, WAIT_CLOCK);
#endif
        pthread_cond_init(&watchdog.wake, &clock);
        watchdog.stop = 0;
        sigfillset(&all); /* the program's signals are not for this thread */
        pthread_sigmask(SIG_SETMASK, &all, &before);
        watchdog.runs = pthread_create(&watchdog.thread, NULL, watch_polls, NULL) == 0;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        if (!watchdog.runs) {
            R.slow_ns = 0; /* no more threads to be had */
        }
    }
}

static void stop_watchdog(void)
{
    if (watchdog.runs) {
        pthread_mutex_lock(&watchdog.lock);
        watchdog.stop = 1;
        pthread_cond_signal(&watchdog.wake);
        pthread_mutex_unlock(&watchdog.lock);
        Py_BEGIN_ALLOW_THREADS /* it may be waiting for the GIL */
        pthread_join(watchdog.thread, NULL);
        Py_END_ALLOW_THREADS
        watchdog.runs = 0;
    }
}

typedef PyObject *(*event_function)(Thread *, Frame *, PyObject *const *);

__attribute__((noinline)) static PyObject *timed(event_function event, Thread *th, Frame *f, PyObject *const *args)
{
    uint64_t begun = monotonic_ns();
    PyObject *result = event(th, f, args);
    if (R.on) {
        R.header->timed_callbacks++;
        R.header->timed_ns += monotonic_ns() - begun;
        start_watchdog(); /* anew after a fork, for those who meet no new code */
    }
    return result;
}

/* A callback: counted, timed now and then, without effect when nothing records. */
#define CALLBACK(name, event)                                                                                         \
    static PyObject *name(PyObject *self, PyObject *const *args, Py_ssize_t n)                                       \
    {                                                                                                                 \
        PyThreadState *ts = tstate();                                                                                 \
        Thread *th = R.on ? this_thread(ts) : NULL;                                                                   \
        if (UNLIKELY(th == NULL)) {                                                                                   \
            Py_RETURN_NONE;                                                                                           \
        }                                                                                                             \
        Frame *f = current_frame(ts);                                                                                 \
        return LIKELY(++R.header->callbacks % COST_EVERY) ? event(th, f, args) : timed(event, th, f, args);           \
    }

CALLBACK(on_start, start_event)
CALLBACK(on_resume, resume_event)
CALLBACK(on_yield, yield_event)
CALLBACK(on_return, return_event)
CALLBACK(on_async_unwind, unwind_event)
CALLBACK(on_throw, throw_event)
CALLBACK(on_call, call_event)

/* Set for all code before 3.15, so it taxes every exception of synchronous code: that is let go first. */
static PyObject *on_unwind(PyObject *self, PyObject *const *args, Py_ssize_t n)
{
    if (LIKELY(!R.spawning && R.on && !(((PyCodeObject *)args[0])->co_flags & ASYNC_FLAGS))) {
        R.header->callbacks++;
        Py_RETURN_NONE;
    }
    return on_async_unwind(self, args, n);
}

static struct { const char *event; PyMethodDef def; } callbacks[EVENTS] = {
    {"PY_START", {"on_start", (PyCFunction)(void (*)(void))on_start, METH_FASTCALL, NULL}},
    {"PY_RESUME", {"on_resume", (PyCFunction)(void (*)(void))on_resume, METH_FASTCALL, NULL}},
    {"PY_YIELD", {"on_yield", (PyCFunction)(void (*)(void))on_yield, METH_FASTCALL, NULL}},
    {"PY_RETURN", {"on_return", (PyCFunction)(void (*)(void))on_return, METH_FASTCALL, NULL}},
    {"PY_UNWIND", {"on_unwind", (PyCFunction)(void (*)(void))on_unwind, METH_FASTCALL, NULL}},
    {"PY_THROW", {"on_throw", (PyCFunction)(void (*)(void))on_throw, METH_FASTCALL, NULL}},
    {"CALL", {"on_call", (PyCFunction)(void (*)(void))on_call, METH_FASTCALL, NULL}},
};
