/* Which of the actions that a source asks for (actions.py) is done by whom, when the function is called or returns.
 *
 * Knows a table. Knows nothing of which functions these are (sources/). */

typedef struct Probe {
    Actions action;
    void (*handler)(Thread *th, Frame *f, PyCodeObject *code, Actions actions, PyObject *value); /* ACTION() */
    int flags; /* only of code that has these */
} Probe;

/* Of several that a function is asked for, the first of each table is done. */
static const Probe at_start[] = {
    {P_SPAWN, spawn, 0},          {P_READY, ready, 0}, {P_TIMER, timer, 0}, {P_SELECT, ask_selector, 0},
    {P_MADE, made, 0},            {P_GIVE, give, 0},   {P_POST, post, 0},   {P_PUT, put_next, 0},
    {P_LEAVE, leave, 0},          {P_JOB, job, 0},     {P_MANY, begins, CO_GENERATOR},
    {COLD_AT_START, cold_start, 0},
};
static const Probe at_return[] = {
    {P_SPAWN, spawned, 0}, {P_SOON, soon, 0},  {P_SELECT, selector_answers, 0},  {P_SHIELD, shield, 0},
    {P_TASK, new_trio_task, 0}, {P_TAKE, taken, 0}, {P_MANY, ends, CO_GENERATOR}, {P_MANY, wait_for_many, 0},
    {COLD_AT_RETURN, cold_return, 0},
};

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
