"""What functions of aiohttp 3, client and server, wait for."""

from typing import Final

from ...support.settings import Rule

AIOHTTP: Final = "site-packages/aiohttp/"
HAPPY_EYEBALLS: Final = "site-packages/aiohappyeyeballs/"

RULES: Final = (
    # Both
    Rule(AIOHTTP + "streams.py", ("StreamReader._wait", "DataQueue.read", "FlowControlDataQueue.read"), "stream read"),
    Rule(AIOHTTP + "base_protocol.py", ("BaseProtocol._drain_helper",), "stream write"),
    # The reader of websockets is compiled, and then these are leaves; where it is not, they are made of what it awaits.
    Rule(
        AIOHTTP + "web_ws.py",
        ("WebSocketResponse.receive", "WebSocketResponse.close"),
        "websocket read",
        ("stream read",),
    ),
    Rule(
        AIOHTTP + "client_ws.py",
        ("ClientWebSocketResponse.receive", "ClientWebSocketResponse.close"),
        "websocket read",
        ("stream read",),
    ),
    Rule(AIOHTTP + "_websocket/reader_py.py", ("WebSocketDataQueue.read",), "websocket read"),
    Rule(
        AIOHTTP + "payload.py",
        ("IOBasePayload.write", "IOBasePayload.write_with_length", "IOBasePayload.as_bytes"),
        "thread",
    ),
    # Client
    Rule(
        AIOHTTP + "connector.py",
        ("BaseConnector._wait_for_available_connection", "BaseConnector.connect"),
        "connection pool",
    ),
    Rule(AIOHTTP + "connector.py", ("TCPConnector._resolve_host",), "DNS"),  # for the same, asked for by others
    Rule(HAPPY_EYEBALLS + "impl.py", ("start_connection", "_connect_sock"), "connect", ("socket connect",)),
    Rule(HAPPY_EYEBALLS + "_staggered.py", ("_wait_one",), "connect"),
    Rule(AIOHTTP + "client_reqrep.py", ("ClientResponse.start",), "response", ("stream read",)),
    Rule(AIOHTTP + "client_reqrep.py", ("ClientRequest.write_bytes",), "response"),  # "100 Continue"
    # Server
    Rule(AIOHTTP + "web_protocol.py", ("RequestHandler.start",), "next request"),
    Rule(AIOHTTP + "web_protocol.py", ("RequestHandler.shutdown",), "server"),
    Rule(AIOHTTP + "web_fileresponse.py", ("FileResponse.prepare", "FileResponse._sendfile_fallback"), "thread"),
    Rule(AIOHTTP + "web_request.py", ("BaseRequest.post",), "thread"),  # writing down what was uploaded
    Rule(AIOHTTP + "web_urldispatcher.py", ("StaticResource._handle",), "thread"),
)
