"""Which coroutines are tasks."""

from .. import tables as t


def are_tasks(ran: t.Bools, entered: t.Bools, failed: t.Bools) -> t.Bools:
    """Of coroutines that were spawned, or ran as roots, those that are tasks: they ran as roots, or still may.

    ``entered``: it runs as a root, or inside of an awaiter.  ``failed``: ``create_task`` did.
    """
    return ran | ~(entered | failed)
