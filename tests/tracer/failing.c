/* Linked into a build of the C core for tests: the N-th allocation that the core causes fails.
 *
 * "Causes" is told by the call stack: the core is compiled with -finstrument-functions, so that each thread knows
 * whether it is inside of it, and what is asked for meanwhile (from Python's allocators, however deep in CPython; from
 * the C library and the kernel by the core itself, through the linker's --wrap) is counted.  The program's own
 * allocations are neither counted nor failed.  Knows nothing of what the core does.
 */
#define _GNU_SOURCE
#include <Python.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/types.h>

enum { DEPTH = 64 };
static __thread int inside;
static __thread void *stack[DEPTH]; /* the core's functions that are running, outermost first */
static int armed;               /* count, and fail what is asked for */
static long asked, first, last; /* those from `first` to `last` fail; counted from 1 */
static char where[4096]; /* the functions that were running at the first failure, innermost first, as addresses in the file */

/* Hidden, since the C library has functions of these names that do nothing. */
__attribute__((visibility("hidden"))) void __cyg_profile_func_enter(void *function, void *caller)
{
    if (inside < DEPTH) {
        stack[inside] = function;
    }
    inside++;
}

__attribute__((visibility("hidden"))) void __cyg_profile_func_exit(void *function, void *caller) { inside--; }

static void note_where(void)
{
    Dl_info file;
    size_t n = 0;
    for (int i = inside < DEPTH ? inside : DEPTH; i-- > 0 && dladdr(stack[i], &file) && n + 20 < sizeof where;) {
        n += (size_t)snprintf(where + n, sizeof where - n, "%lx ", (long)((char *)stack[i] - (char *)file.dli_fbase));
    }
}

static int fails(void)
{
    if (!inside || !__atomic_load_n(&armed, __ATOMIC_RELAXED)) {
        return 0;
    }
    long n = __atomic_add_fetch(&asked, 1, __ATOMIC_RELAXED);
    int this = n >= first && n <= last;
    if (this) {
        if (n == first) {
            note_where();
        }
        errno = ENOMEM;
    }
    return this;
}

/* Python's allocators. */

static PyMemAllocatorEx under[3];

static void *hooked_malloc(void *ctx, size_t size)
{
    PyMemAllocatorEx *next = ctx;
    return fails() ? NULL : next->malloc(next->ctx, size);
}

static void *hooked_calloc(void *ctx, size_t n, size_t size)
{
    PyMemAllocatorEx *next = ctx;
    return fails() ? NULL : next->calloc(next->ctx, n, size);
}

static void *hooked_realloc(void *ctx, void *p, size_t size)
{
    PyMemAllocatorEx *next = ctx;
    return fails() ? NULL : next->realloc(next->ctx, p, size);
}

static void hooked_free(void *ctx, void *p)
{
    PyMemAllocatorEx *next = ctx;
    next->free(next->ctx, p);
}

/* What the core asks the C library and the kernel for, by the names that 64-bit offsets (pyconfig.h) give them. */

#define WRAP(type, name, failed, parameters, arguments)                                                               \
    type __real_##name parameters;                                                                                    \
    type __wrap_##name parameters { return fails() ? (failed) : __real_##name arguments; }

WRAP(void *, malloc, NULL, (size_t size), (size))
WRAP(void *, calloc, NULL, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, NULL, (void *p, size_t size), (p, size))
WRAP(char *, strdup, NULL, (const char *text), (text))
WRAP(void *, mmap64, MAP_FAILED, (void *at, size_t size, int prot, int flags, int fd, off_t off), (at, size, prot, flags, fd, off))
WRAP(int, posix_fallocate64, ENOSPC, (int fd, off_t off, off_t len), (fd, off, len))
WRAP(ssize_t, pwrite64, (errno = ENOSPC, -1), (int fd, const void *data, size_t n, off_t off), (fd, data, n, off))
WRAP(int, pthread_create, EAGAIN, (pthread_t *thread, const pthread_attr_t *how, void *(*run)(void *), void *arg), (thread, how, run, arg))

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
    va_list more;
    va_start(more, command);
    long arg = va_arg(more, long);
    va_end(more);
    return command == F_DUPFD_CLOEXEC && fails() ? -1 : __real_fcntl64(fd, command, arg);
}

/* For the test, through ctypes. */

/* Fail the allocations from number `from` to number `to`, from now on; 0: only count. */
void fail(long from, long to)
{
    static const PyMemAllocatorDomain domains[3] = {PYMEM_DOMAIN_RAW, PYMEM_DOMAIN_MEM, PYMEM_DOMAIN_OBJ};
    if (under[0].malloc == NULL) {
        for (int i = 0; i < 3; i++) {
            PyMem_GetAllocator(domains[i], &under[i]);
            PyMemAllocatorEx hooked = {&under[i], hooked_malloc, hooked_calloc, hooked_realloc, hooked_free};
            PyMem_SetAllocator(domains[i], &hooked);
        }
    }
    asked = where[0] = 0;
    first = from ? from : 1;
    last = from ? to : 0;
    __atomic_store_n(&armed, 1, __ATOMIC_RELEASE);
}

const char *failed_where(void) { return where; }

/* Stop; how many were asked for. */
long stop_failing(void)
{
    __atomic_store_n(&armed, 0, __ATOMIC_RELEASE);
    return asked;
}
