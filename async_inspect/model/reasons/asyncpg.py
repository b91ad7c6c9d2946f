"""What functions of asyncpg wait for.

Knows: where its compiled protocol is awaited.  That has no frames that could be seen, so the frames that await it are
leaves, and what it awaits stands directly below them.
"""

from typing import Final

from ...support.settings import Rule

ASYNCPG: Final = "site-packages/asyncpg/"
CONNECTING: Final = ("connect", "socket connect", "TLS handshake")

RULES: Final = (
    Rule(
        ASYNCPG + "connection.py",
        (
            "Connection.execute",
            "Connection._get_statement",
            "Connection._do_execute",
            "Connection._cleanup_stmts",
            "Connection._copy_in",
            "Connection._copy_out",
            "Connection.copy_records_to_table",
        ),
        "postgres query",
        ("event",),  # of the protocol: it may write again
    ),
    Rule(ASYNCPG + "prepared_stmt.py", ("PreparedStatement.__do_execute",), "postgres query"),
    Rule(
        ASYNCPG + "cursor.py",
        ("BaseCursor._bind_exec", "BaseCursor._bind", "BaseCursor._exec", "BaseCursor._close_portal", "Cursor.forward"),
        "postgres query",
    ),
    Rule(
        ASYNCPG + "connection.py",
        ("Connection._copy_out.<locals>._writer", "Connection._copy_in.<locals>._Reader.__anext__"),
        "thread",
    ),
    Rule(ASYNCPG + "connect_utils.py", ("_create_ssl_connection", "__connect_addr"), "postgres connect", CONNECTING),
    Rule(ASYNCPG + "pool.py", ("Pool._initialize",), "postgres connect"),  # to all that it starts with
    Rule(ASYNCPG + "pool.py", ("Pool._acquire.<locals>._acquire_impl",), "postgres pool", ("queue get",)),
    Rule(ASYNCPG + "pool.py", ("Pool.release",), "postgres pool"),
    Rule(ASYNCPG + "connect_utils.py", ("_cancel",), "postgres cancel", CONNECTING),
    Rule(ASYNCPG + "connection.py", ("Connection._cancel",), "postgres cancel"),
    Rule(ASYNCPG + "pool.py", ("PoolConnectionHolder.release",), "postgres cancel"),  # of what ran when it was released
    Rule(ASYNCPG + "connection.py", ("Connection.close",), "postgres close"),
    Rule(ASYNCPG + "pool.py", ("Pool.close", "PoolConnectionHolder.wait_until_released"), "postgres close"),
)
