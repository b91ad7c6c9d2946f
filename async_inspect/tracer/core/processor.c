/* How long a thread was on a processor in a poll that lasts, and how long it had none (the twin: pycore/processor.py).
 *
 * Knows what the system counts for each thread. Knows nothing of why polls last (watchdog.c says which do). */

enum { LOOKS = 4 }; /* of the watchdog, within the time that is too long */

#ifdef __linux__
/* Nanoseconds on a processor of a thread of this process, by its id in the system; up to now if it runs. 0: not known. */
static uint64_t ran_ns(unsigned long native_id)
{
    struct timespec t;
    clockid_t clock = (clockid_t)(~(unsigned)native_id << 3 | 6); /* as pthread_getcpuclockid() has it, for any that lives */
    return clock_gettime(clock, &t) == 0 ? (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec : 0;
}

/* The beginning of what the system says of a thread in one of its files, a text of less than `size`; "": nothing. */
static void read_of_thread(unsigned long native_id, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%lu/%s", native_id, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, text, size - 1) : 0;
    text[n > 0 ? n : 0] = 0;
    if (fd >= 0) {
        close(fd);
    }
}

/* Nanoseconds in which it could have run and another thread had the processor, but those of a wait that goes on. 0: the
 * system doesn't say. */
static int without_ns(unsigned long native_id, uint64_t *ns)
{
    char text[96];
    unsigned long long ran, waited;
    read_of_thread(native_id, "schedstat", text, sizeof text);
    int known = sscanf(text, "%llu %llu", &ran, &waited) == 2;
    *ns = known ? waited : *ns;
    return known;
}

/* Whether it is asleep in the kernel just now; -1: not known. */
static int sleeps(unsigned long native_id)
{
    char text[96];
    read_of_thread(native_id, "stat", text, sizeof text);
    const char *state = strrchr(text, ')'); /* behind its name, in which may be whatever it likes */
    return state != NULL && state[1] == ' ' ? state[2] == 'S' || state[2] == 'D' : -1;
}
#else
static uint64_t ran_ns(unsigned long native_id UNUSED)
{
    return 0;
}

static int without_ns(unsigned long native_id UNUSED, uint64_t *ns UNUSED)
{
    return 0;
}

static int sleeps(unsigned long native_id UNUSED)
{
    return -1;
}
#endif

/* The watchdog looks at a poll, from the first time on. Without the GIL. */
static void look_whether_it_sleeps(Thread *th)
{
    int asleep = sleeps(th->native_id);
    th->seen_looks += asleep >= 0;
    th->seen_asleep += asleep > 0;
}

/* Whether what it saw goes with that a thread slept for so long: some kernels (6.18) count a sleep, now and then, as a wait
 * for a processor. */
static int goes_with(Thread *th, uint64_t asleep, uint64_t lasted)
{
    uint64_t seen = th->seen_looks ? lasted / th->seen_looks * th->seen_asleep : 0;
    uint64_t slack = 2 * R.slow_ns / LOOKS + lasted / (th->seen_looks + 1);
    return th->seen_looks && (seen > asleep ? seen - asleep : asleep - seen) <= slack;
}

/* The watchdog sees a poll for the first time: what it is told of later counts from now on. Without the GIL. */
static void look_at_processor(Thread *th)
{
    th->seen_at = monotonic_ns();
    th->seen_ran = ran_ns(th->native_id);
    th->seen_without = UINT64_MAX;
    without_ns(th->native_id, &th->seen_without);
    th->seen_looks = th->seen_asleep = 0;
    look_whether_it_sleeps(th);
}

static uint32_t microseconds(uint64_t ns)
{
    return ns / 1000 < UINT32_MAX ? (uint32_t)(ns / 1000) : UINT32_MAX;
}

/* The poll of the task `root` that the watchdog has seen twice has ended: write what its thread did meanwhile, at the
 * time of what ended it, to which there may be more to say. */
RARE void put_processor(Thread *th, uint32_t root)
{
    int error = errno;
    uint64_t ts = R.last_ts;
    uint64_t ran = ran_ns(th->native_id), lasted = monotonic_ns() - th->seen_at, without;
    if (ran && th->seen_ran) {
        ran = ran - th->seen_ran < lasted ? ran - th->seen_ran : lasted;
        put(th, ON_CPU, ts, root, microseconds(ran), NULL, microseconds(lasted), 0);
        if (th->seen_without != UINT64_MAX && without_ns(th->native_id, &without)) {
            /* one that had begun before it was first seen is counted whole */
            without = without - th->seen_without < lasted - ran ? without - th->seen_without : lasted - ran;
            if (goes_with(th, lasted - ran - without, lasted)) {
                put(th, NO_CPU, ts, root, microseconds(without), NULL, microseconds(lasted), 0);
            }
        }
    }
    errno = error;
}
