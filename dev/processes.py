"""Processes that end with whoever started them, each by its own handle, and servers at ports of their own."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from checkout import ROOT
from ports import HOST, reserved_port

STOPPING = signal.SIGINT, signal.SIGTERM, signal.SIGHUP


def stop_on_signals() -> None:
    """Let a signal to stop end this process like an exit, so that what it started ends before it."""
    for each in STOPPING:
        signal.signal(each, _stop)


def _stop(number: int, _frame: FrameType | None) -> None:
    # A second signal must not disturb what ends now.
    for each in STOPPING:
        signal.signal(each, signal.SIG_IGN)
    raise SystemExit(f"\n== stopped by {signal.Signals(number).name}")


@contextmanager
def running(
    command: Sequence[str | Path],
    port: int | None = None,
    env: Mapping[str, str] | None = None,
    host: str = HOST,
    log: Path | None = None,
    stop: signal.Signals = signal.SIGTERM,
    patience: float | None = 20,
    folder: Path = ROOT,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the caller is done, and its output into `log`; a server has a minute to listen on `port`.

    It is killed where the signal to stop does not end it in time; `patience` is in seconds.
    """
    with open(log or os.devnull, "wb") as file:
        output = file if log or not os.environ.get("VERBOSE") else None
        with subprocess.Popen(
            command, cwd=folder, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        ) as process:
            try:
                if port:
                    _wait_for(host, port, process)
                yield process
            finally:
                process.send_signal(stop)
                try:
                    process.wait(patience)
                except subprocess.TimeoutExpired:
                    process.kill()


@contextmanager
def serving(command: Sequence[str | Path], host: str = HOST, **options: Any) -> Iterator[str]:
    """Run a server as `running` does, at a reserved port in place of the word PORT, and yield its address."""
    with reserved_port(host) as port:
        words = [str(port) if word == "PORT" else word for word in command]
        with running(words, port, host=host, **options):
            yield f"http://{host}:{port}"


def _wait_for(host: str, port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < deadline:
        with socket.socket() as connection:
            if connection.connect_ex((host, port)) == 0:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{server.args!r} does not listen on port {port}; run again with VERBOSE=1 to see why")
