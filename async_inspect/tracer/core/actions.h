/* Written by scripts/generate from async_inspect/tracer/actions.py: change that. */
enum {
    P_SPAWN = 1 << 0, P_GROUP = 1 << 1, P_SOON = 1 << 2, P_READY = 1 << 3, P_RUN = 1 << 4, P_SIGNAL = 1 << 5,
    P_TIMER = 1 << 6, P_SELECT = 1 << 7, P_MADE = 1 << 8, P_GIVE = 1 << 9, P_USE = 1 << 10, P_TAKE = 1 << 11,
    P_MANY = 1 << 12, P_SHIELD = 1 << 13, P_NEVER = 1 << 14, P_HANDLER = 1 << 15, P_POST = 1 << 16,
    P_TASK = 1 << 17, P_PUT = 1 << 18, P_LOOP = 1 << 19, P_EXPIRE = 1 << 20, P_IO = 1 << 21, P_LEAVE = 1 << 22,
    P_JOB = 1 << 23, P_UNTIL = 1 << 24, P_CHILDREN = 1 << 25, P_MOVE = 1 << 26, P_ALONE = 1 << 27,
    P_PROCESS = 1 << 28, P_MEMBER = 1 << 29, P_SCOPE = 1 << 30
};
enum {
    P_WATCHED = P_ALONE, COLD_AT_START = P_NEVER | P_HANDLER | P_MOVE, COLD_AT_RETURN = P_PROCESS | P_MEMBER,
    AT_SUSPENSION = P_USE | P_MANY | P_UNTIL | P_CHILDREN, ROLES = P_USE | P_TAKE | P_MANY | P_UNTIL | P_CHILDREN,
    STEPS = P_RUN | P_SIGNAL | P_LOOP | P_EXPIRE | P_IO | P_JOB
};
#define DONE_AT_START \
    {P_SPAWN, spawn, 0}, \
    {P_READY, ready, 0}, \
    {P_TIMER, timer, 0}, \
    {P_SELECT, ask_selector, 0}, \
    {P_MADE, made, 0}, \
    {P_GIVE, give, 0}, \
    {P_POST, post, 0}, \
    {P_PUT, put_next, 0}, \
    {P_LEAVE, leave, 0}, \
    {P_JOB, job, 0}, \
    {P_MANY, begins, 32}, \
    {COLD_AT_START, cold_start, 0},
#define DONE_AT_RETURN \
    {P_SPAWN, spawned, 0}, \
    {P_SOON, soon, 0}, \
    {P_SELECT, selector_answers, 0}, \
    {P_SHIELD, shield, 0}, \
    {P_TASK, new_trio_task, 0}, \
    {P_TAKE, taken, 0}, \
    {P_MANY, ends, 32}, \
    {P_MANY, wait_for_many, 0}, \
    {COLD_AT_RETURN, cold_return, 0},
