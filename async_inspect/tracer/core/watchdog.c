/* A thread that looks, once, what a poll does that has lasted too long (the twin: pycore/watchdog.py); and that writes out
 * what is full of the tail, while the program goes on in the next block.
 *
 * Knows how to tell that a poll lasts, without the GIL. Knows nothing of why polls last. */

#ifdef __APPLE__
#define WAIT_CLOCK CLOCK_REALTIME /* the only one that a condition waits by there */
#else
#define WAIT_CLOCK CLOCK_MONOTONIC
#endif
static struct {
    int runs;           /* there is one, and nobody ends it: with the GIL */
    int stop, leaving;  /* it is to end; somebody waits until it has ended: with the lock, and whoever reads without it
                           that nobody does begins after that */
    int ending;         /* somebody is in stop(): with the lock */
    int was_held;       /* the lock, as this process was forked; for tests */
    pthread_t thread, ender;
    pthread_mutex_t lock;
    pthread_cond_t wake, gone;
} watchdog = {.lock = PTHREAD_MUTEX_INITIALIZER, .gone = PTHREAD_COND_INITIALIZER};

/* What the thread does whose poll still lasts. Takes the GIL as PyGILState_Ensure() does, which ends the process where there
 * is no memory for a thread's state. */
static void look(Thread *th, uint64_t serial)
{
    int got = lock_states();
    PyThreadState *own = PyThreadState_New(PyInterpreterState_Main());
    unlock_states(got);
    if (own == NULL) {
        lose();
        return;
    }
    PyEval_RestoreThread(own);
    if (R.on && th->session == R.session && th->serial == serial && th->top != NULL) {
        PyThreadState *ts = find_state(th->tstate_id);
        if (ts != NULL) { /* else the thread has ended amid a coroutine */
            uint32_t site = site_of(python_frame(current_frame(ts)), 1);
            put(th, STACK, now(), th->top->root->id, 0, th->top, site, 0);
        }
    }
    drop_error();
    PyThreadState_Clear(own);
    PyThreadState_DeleteCurrent();
}

static void *watch_polls(void *unused UNUSED)
{
    struct timespec until;
    int late = 1;
    pthread_mutex_lock(&watchdog.lock);
    while (!watchdog.stop) {
        if (late) {
            clock_gettime(WAIT_CLOCK, &until);
            uint64_t next = (uint64_t)until.tv_nsec + R.slow_ns / LOOKS;
            until.tv_sec += (time_t)(next / 1000000000u);
            until.tv_nsec = (long)(next % 1000000000u);
        }
#ifdef WATCHDOG_DAWDLES /* for tests: it has its lock most of the time */
        nanosleep(&(struct timespec){0, 1000000}, NULL);
#endif
        late = pthread_cond_timedwait(&watchdog.wake, &watchdog.lock, &until) == ETIMEDOUT;
        if (watchdog.stop) {
            break;
        }
        pthread_mutex_unlock(&watchdog.lock);
        while (write_out()) {
        }
        /* Without the GIL only these two are read: whether the poll that was there is there still. */
        for (Thread *th = late ? __atomic_load_n(&all_threads, __ATOMIC_ACQUIRE) : NULL; th != NULL; th = th->next) {
            uint64_t serial = __atomic_load_n(&th->serial, __ATOMIC_RELAXED);
            int runs = __atomic_load_n(&th->top, __ATOMIC_RELAXED) != NULL, same = runs && serial == th->watched_serial;
            th->looks = same ? th->looks + 1 : 0;
            th->watched_serial = serial;
            if (!runs) {
                th->seen_at = 0;
            }
            else if (!same || th->seen_at == 0) {
                look_at_processor(th);
            }
            else {
                look_whether_it_sleeps(th);
                __atomic_store_n(&th->seen, serial + 1, __ATOMIC_RELEASE);
            }
            if (th->looks == LOOKS) {
                look(th, serial);
            }
        }
        pthread_mutex_lock(&watchdog.lock);
    }
    pthread_mutex_unlock(&watchdog.lock);
    return NULL;
}

/* A block is full: whether there is somebody who will write it out. Without the lock: who is not waiting just now may
 * not hear it, and comes at the next one, or at the next look; and who needs the room before writes it out himself. */
static int wake_writer(void)
{
    return watchdog.runs && pthread_cond_signal(&watchdog.wake) == 0;
}

RARE void start_watchdog(void)
{
    if (!watchdog.runs && R.on && R.slow_ns && !R.stopping && !__atomic_load_n(&watchdog.leaving, __ATOMIC_ACQUIRE)) {
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
            lose();
        }
    }
}

/* There is nothing more to see. It ends by itself: nobody waits for that here, amid an event, and stop_watchdog() can later. */
static void dismiss_watchdog(void)
{
    if (watchdog.runs) {
        pthread_mutex_lock(&watchdog.lock);
        watchdog.stop = 1;
        pthread_cond_signal(&watchdog.wake);
        pthread_mutex_unlock(&watchdog.lock);
    }
}

/* When this returns there is none, whoever ended it: several threads may fork or stop at once. */
static void stop_watchdog(void)
{
    int runs = watchdog.runs;
    watchdog.runs = 0;
    if (runs) {
        __atomic_store_n(&watchdog.leaving, 1, __ATOMIC_RELAXED);
    }
    else if (!__atomic_load_n(&watchdog.leaving, __ATOMIC_ACQUIRE)) {
        return;
    }
    Py_BEGIN_ALLOW_THREADS /* it may be waiting for the GIL */
    pthread_mutex_lock(&watchdog.lock);
    if (runs) {
        watchdog.stop = 1;
        pthread_cond_signal(&watchdog.wake);
        pthread_mutex_unlock(&watchdog.lock);
        pthread_join(watchdog.thread, NULL);
        pthread_mutex_lock(&watchdog.lock);
        __atomic_store_n(&watchdog.leaving, 0, __ATOMIC_RELEASE);
        pthread_cond_broadcast(&watchdog.gone);
    }
    while (watchdog.leaving) {
        pthread_cond_wait(&watchdog.gone, &watchdog.lock);
    }
    pthread_mutex_unlock(&watchdog.lock);
    Py_END_ALLOW_THREADS
}
