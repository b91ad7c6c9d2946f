/* The C core: sys.monitoring events to records, at a cost one can live with.
 *
 * The same contract (_core.pyi) and the same records as its readable twin, tracer/pycore/: read that one first.  Functions
 * here have the names of the twin's methods and do the same in the same order; a property test holds them to it.  What
 * is only here is what makes it fast:
 *
 *   - callbacks take a vector of arguments and no recursion, and make no frame object, but for what is rare (core/cold.c);
 *   - a coroutine is known by its interpreter frame, found through PyThreadState.current_frame, stable for its life;
 *   - a code object's entry is found by its address, and a weak reference says whether it is still that one; nothing of
 *     the program is kept alive;
 *   - the clock is CLOCK_MONOTONIC by way of the processor's own counter, where the kernel trusts that itself.
 *
 * Needs the GIL: it is not loaded on a free-threaded build.  Static state, single-phase init: main interpreter only.
 * Allocations that fail lose records (counted), never the program.
 *
 * One unit of compilation; the parts are in core/, each resting only on those above it.  Builds on CPython 3.12 to 3.15;
 * what differs between them is in core/frames.c.
 */
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE_MODULE 1
#include <Python.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#ifdef __APPLE__
#include <mach/mach.h>
#else
#include <sys/uio.h>
#endif
#include <time.h>
#include <unistd.h>
#include <opcode.h>
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_interpframe_structs.h"
#include "internal/pycore_stackref.h"
#endif
#include "internal/pycore_frame.h"
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_interpframe.h"
#endif
#include "internal/pycore_genobject.h"
#include "internal/pycore_intrinsics.h"
#include "internal/pycore_object.h"
#if PY_VERSION_HEX >= 0x030E0000
#include "internal/pycore_tstate.h"
#endif

#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define UNUSED __attribute__((unused))
#define RARE __attribute__((noinline)) static /* a function that stays out of those that call it */
#define OFTEN __attribute__((always_inline)) static inline

#include "core/vocabulary.h"
#include "core/actions.h"
#include "core/state.c"
#include "core/tape.c"
#include "core/maps.c"
#include "core/frames.c"
#include "core/definitions.c"
#include "core/introspect.c"
#include "core/threads.c"
#include "core/coroutines.c"
#include "core/tags.c"
#include "core/awaited.c"
#include "core/processor.c"
#include "core/running.c"
#include "core/watchdog.c"
#include "core/monitoring.c"
#include "core/edges.c"
#include "core/handles.c"
#include "core/wakes.c"
#include "core/waits.c"
#include "core/chains.c"
#include "core/tasks.c"
#include "core/trio.c"
#include "core/cold.c"
#include "core/probes.c"
#include "core/callbacks.c"
#include "core/awaits.c"
#include "core/adopt.c"
#include "core/selftest.c"
#include "core/session.c"
