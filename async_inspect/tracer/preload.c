/* --preload: the recorder's way into a Python that was told to look at nothing (-I, -E, -S).
 *
 * Loaded by LD_PRELOAD into every program; in one that is no Python it does nothing.  In a Python it adds an audit hook
 * before that begins, and at "cpython.run_…", when the interpreter is ready and just before the program's first line,
 * runs the file that ASYNC_INSPECT_DOOR names.  Fits any Python from 3.8 on: it takes all it calls from the program
 * itself, so no header of Python's is needed.  An audit hook stays: it costs some 30 ns at each audited event. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DOOR "ASYNC_INSPECT_DOOR"
#define PYTHON(result, name, ...) result (*name)(__VA_ARGS__) = (result(*)(__VA_ARGS__))dlsym(RTLD_DEFAULT, #name)

enum { FILE_INPUT = 257, MAX_DOOR = 1 << 16 };

static int done;

static char *contents(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? calloc(1, MAX_DOOR) : NULL;
    if (text != NULL && fread(text, 1, MAX_DOOR - 1, file) == 0) {
        free(text);
        text = NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

static int hook(const char *event, void *args, void *data)
{
    (void)args;
    (void)data;
    const char *path = done || strncmp(event, "cpython.run_", 12) ? NULL : getenv(DOOR);
    if (path == NULL) {
        return 0;
    }
    done = 1;
    PYTHON(void *, PyDict_New, void);
    PYTHON(int, PyDict_SetItemString, void *, const char *, void *);
    PYTHON(void *, PyUnicode_DecodeFSDefault, const char *);
    PYTHON(void *, PyEval_GetBuiltins, void);
    PYTHON(void *, Py_CompileString, const char *, const char *, int);
    PYTHON(void *, PyEval_EvalCode, void *, void *, void *);
    PYTHON(int, PyErr_ExceptionMatches, void *);
    PYTHON(void *, PyErr_Occurred, void);
    PYTHON(void, PyErr_Clear, void);
    PYTHON(void, Py_DecRef, void *);
    void **interrupt = dlsym(RTLD_DEFAULT, "PyExc_KeyboardInterrupt");
    char *text = contents(path);
    if (text == NULL || !PyDict_New || !PyDict_SetItemString || !PyUnicode_DecodeFSDefault || !PyEval_GetBuiltins
        || !Py_CompileString || !PyEval_EvalCode || !PyErr_ExceptionMatches || !PyErr_Occurred || !PyErr_Clear || !Py_DecRef
        || !interrupt) {
        free(text);
        return 0;
    }
    void *globals = PyDict_New(), *file = PyUnicode_DecodeFSDefault(path);
    void *code = Py_CompileString(text, path, FILE_INPUT), *result = NULL;
    if (globals && file && code && PyDict_SetItemString(globals, "__builtins__", PyEval_GetBuiltins()) == 0
        && PyDict_SetItemString(globals, "__file__", file) == 0 && PyDict_SetItemString(globals, "__name__", file) == 0) {
        result = PyEval_EvalCode(code, globals, globals);
    }
    Py_DecRef(result); /* each of them may be NULL */
    Py_DecRef(code);
    Py_DecRef(file);
    Py_DecRef(globals);
    free(text);
    if (PyErr_Occurred() && PyErr_ExceptionMatches(*interrupt)) {
        return -1; /* a Ctrl-C is the program's */
    }
    PyErr_Clear();
    return 0;
}

/* Whether this Python will change its allocator after we had our hook from it, which it then cannot free at its end. */
static int debugs_memory(void)
{
    const char *chosen = getenv("PYTHONMALLOC");
    if (getenv("PYTHONDEVMODE") || (chosen != NULL && strstr(chosen, "debug"))) {
        return 1;
    }
    FILE *file = fopen("/proc/self/cmdline", "re");
    char *word = NULL;
    size_t room = 0;
    int found = file == NULL, x = 0; /* x: the word before ended in X, as in -X */
    while (!found && getdelim(&word, &room, 0, file) > 0) {
        found = strstr(word, "Xdev") != NULL || (x && strncmp(word, "dev", 3) == 0);
        size_t length = strlen(word);
        x = length > 1 && word[0] == '-' && word[length - 1] == 'X';
    }
    free(word);
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

__attribute__((constructor)) static void enter(void)
{
    PYTHON(int, PySys_AddAuditHook, int (*)(const char *, void *, void *), void *);
    if (PySys_AddAuditHook != NULL && getenv(DOOR) != NULL && !debugs_memory()) {
        PySys_AddAuditHook(hook, NULL);
    }
}
