/* What is done of the actions that a source asks for, when the function is called and when it returns.
 *
 * Which by whom, actions.py says. Knows nothing of which functions these are (sources/). */

typedef struct Probe {
    Actions action;
    void (*handler)(Thread *th, Frame *f, PyCodeObject *code, Actions actions, PyObject *value); /* ACTION() */
    int flags; /* only of code that has these */
} Probe;

static const Probe at_start[] = {DONE_AT_START}, at_return[] = {DONE_AT_RETURN};

static const Probe *first_of(const Probe *table, size_t n, Actions actions, PyCodeObject *code)
{
    for (const Probe *one = table; one < table + n; one++) {
        if (actions & one->action && (code->co_flags & one->flags) == one->flags) {
            return one;
        }
    }
    return NULL;
}

/* A function that a source asks for, and that is no coroutine's, is called for the first time. */
static void prepare(CodeInfo *info, PyCodeObject *code, Actions actions)
{
    info->probe = actions;
    info->at_start = first_of(at_start, sizeof at_start / sizeof *at_start, actions, code);
    info->at_return = first_of(at_return, sizeof at_return / sizeof *at_return, actions, code);
    if (actions & P_RUN) {
        R.run_code = info->id;
    }
    if (actions & P_SPAWN) {
        watch_throws();
    }
}
