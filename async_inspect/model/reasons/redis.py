"""What functions of redis-py's asyncio side wait for.

Knows: which of its functions are made of which waits.  It reads and writes by asyncio's streams, whatever for.
"""

from typing import Final

from ...support.settings import Rule

REDIS: Final = "site-packages/redis/asyncio/"
STREAMS: Final = ("stream read", "stream write")
CONNECTING: Final = ("connect", "socket connect", "TLS handshake", *STREAMS)

RULES: Final = (
    Rule(
        REDIS + "client.py",
        (
            "Redis.execute_command",
            "Pipeline.execute",
            "Pipeline.immediate_execute_command",
            "PubSub.execute_command",
            "Monitor.__aenter__",
        ),
        "redis command",
        STREAMS,
    ),
    Rule(
        REDIS + "cluster.py", ("ClusterNode.execute_command", "ClusterNode.execute_pipeline"), "redis command", STREAMS
    ),
    Rule(REDIS + "client.py", ("PubSub.parse_response", "Monitor.next_command"), "redis message", STREAMS),
    Rule(
        REDIS + "connection.py",
        ("AbstractConnection.connect", "AbstractConnection.connect_check_health"),
        "redis connect",
        CONNECTING,
    ),
    Rule(
        REDIS + "connection.py",
        tuple(
            f"{pool}.{name}"
            for pool in ("ConnectionPool", "BlockingConnectionPool")
            for name in ("get_connection", "release")
        ),
        "redis pool",
        ("lock", "condition"),
    ),
    Rule(REDIS + "client.py", ("Redis.initialize", "Redis.execute_command"), "redis pool", ("lock",)),  # a pool of one
    Rule(REDIS + "client.py", ("Pipeline.reset",), "redis pool"),  # giving its connection back
    Rule(REDIS + "client.py", ("Pipeline.reset",), "redis command", STREAMS),
    Rule(REDIS + "lock.py", ("Lock.acquire",), "redis lock", ("timer",)),  # between two tries
    Rule(REDIS + "client.py", ("Redis.__aexit__",), "redis close"),
    Rule(REDIS + "connection.py", ("AbstractConnection.disconnect",), "redis close", ("stream close",)),
    Rule(REDIS + "connection.py", ("ConnectionPool.disconnect",), "redis close"),
    Rule(
        REDIS + "cluster.py", ("RedisCluster.__aexit__", "NodesManager.aclose", "ClusterNode.disconnect"), "redis close"
    ),
)
