"""What went wrong on the wire, in words without URL, credential or number. They decide nothing."""

import errno
import os
import socket
import ssl
from collections.abc import Iterator
from http.client import IncompleteRead, RemoteDisconnected

from urllib3 import exceptions as urllib3


def why(error: BaseException, *, timeout_s: float) -> str:
    """The words for the innermost known cause of an exception of requests, urllib3 or the socket."""
    causes = list(_causes(error))
    through = "through the proxy, " if any(isinstance(cause, urllib3.ProxyError) for cause in causes) else ""
    for cause in causes:
        words = _known(cause, timeout_s)
        if words:
            return through + words
    return f"{through}{type(error).__name__}"


def _known(cause: BaseException, timeout_s: float) -> str | None:
    match cause:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return "the host's name could not be resolved, since no name server answered"
        case socket.gaierror():
            return "the host's name could not be resolved, since there is no such name"
        case ssl.SSLCertVerificationError():
            return f"the host's TLS certificate is not accepted: {cause.verify_message.rstrip('.')}"
        case ssl.SSLError():
            return f"the TLS handshake failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}"
        case TimeoutError():  # urllib3's own are no help: its NewConnectionError is a ConnectTimeoutError
            return f"timed out after {timeout_s:g} s"
        case ConnectionRefusedError():
            return "the connection was refused"
        case RemoteDisconnected() | IncompleteRead() | urllib3.IncompleteRead():
            return "the connection was closed before the whole answer came"
        case ConnectionResetError() | BrokenPipeError():
            return "the connection was reset"
        case OSError(errno=int(number)) if number in errno.errorcode:
            return os.strerror(number).lower()  # its own text may hold the host and its address
        case _:
            return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all it was made of, from the outside in; the libraries hide causes in four places."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
        waiting += [item for item in inner if isinstance(item, BaseException)]
