"""Ports for servers that come later, go, and come back."""

import contextlib
import random
import socket
from collections.abc import Iterator
from typing import Final

_PORTS: Final[Iterator[int]] = iter(random.sample(range(20_000, 32_000), 12_000))
"""Each is given once. They are below those from which a system serves whoever asks for any: Linux' begin at 32768."""


def free_port() -> int:
    """A port of loopback that nothing uses, and that nobody else is given before its server listens there.

    One that the system picks may be given again as soon as it is let go: to another test, or to a Temporal for its own services.
    A client would then talk to a stranger, and not notice when that is another test's Muster with the same people in it.
    """
    while True:
        port = next(_PORTS)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
