"""Ports of this machine for servers that cannot pick one themselves.

    python dev/ports.py COMMAND...

runs such a server, with the port in place of the word PORT, and begins by printing the port in a line of its own.
"""

import os
import random
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

HOST = "127.0.0.1"
# Below those that the kernel gives to whoever names none.
PORTS = range(16384, 32768)


@contextmanager
def reserved_port(host: str = HOST, *, inheritable: bool = False) -> Iterator[int]:
    """Yield a TCP port for a server; it is the caller's alone until the caller, or who inherits it, is done.

    Nobody can hold a TCP port for another process to listen on. So the UDP port of the same number is held, which
    everybody else who reserves one finds taken.
    """
    for port in random.sample(PORTS, len(PORTS)):
        with socket.socket(type=socket.SOCK_DGRAM) as reservation:
            try:
                reservation.bind((host, port))
                socket.create_server((host, port)).close()
            except OSError:
                continue
            reservation.set_inheritable(inheritable)
            yield port
            return
    raise RuntimeError(f"every port of {host} from {PORTS.start} to {PORTS.stop - 1} is taken")


def main() -> None:
    """Become the server, which inherits the reservation. What it prints is discarded."""
    with reserved_port(inheritable=True) as port:
        command = [str(port) if word == "PORT" else word for word in sys.argv[1:]]
        print(port, flush=True)
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        os.execv(command[0], command)


if __name__ == "__main__":
    main()
