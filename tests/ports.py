"""TCP ports for servers that are told theirs."""

import socket


def free_ports(count: int) -> list[int]:
    """As many ports of 127.0.0.1 that nobody listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
