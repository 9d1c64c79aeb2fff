"""One process of the function, from its start to its first answer: what it costs."""

import asyncio
import json
import os
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stand_in import RuntimeApi

ROOT = Path(__file__).resolve().parent.parent
REQUEST = ROOT / "tests/requests/registry.json"

Event = dict[str, Any]


@dataclass(frozen=True)
class Cost:
    """What a process took up to its end, which follows the answers."""

    # From the start of the process to its first answer.
    seconds: float
    cpu_seconds: float
    peak_bytes: float
    # What it has written to, after the last answer: heap, stacks, and what was relocated of its binary. The rest
    # of the peak is pages of files.
    own_bytes: float


class FailedError(RuntimeError):
    """The function ended, or answered something else than SUCCESS."""


def request(action: str, properties: Mapping[str, Any]) -> Event:
    """Return CloudFormation's request for an action, without the provider's part: nothing is delivered after it."""
    event: Event = json.loads(REQUEST.read_text())
    nothing_delivered = {"providerCredentials": None, "providerLogGroupName": None}
    data = event["requestData"] | nothing_delivered | {"resourceProperties": dict(properties)}
    return event | {"action": action, "requestData": data}


async def first_answers(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    runtime: RuntimeApi,
    events: Sequence[Event],
    cwd: Path = ROOT,
) -> tuple[list[Event], Cost]:
    """Start a process, and return its answers to the events, one after the other, and what it took.

    FailedError where it fails, or answers anything but SUCCESS.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    seconds, answers = 0.0, []
    try:
        for event in events:
            answers.append(await _answer(process, runtime, event))
            seconds = seconds or time.perf_counter() - started
        about = Path(f"/proc/{process.pid}")
        [peak] = re.findall(r"VmHWM:\s+(\d+) kB", (about / "status").read_text())
        [own] = re.findall(r"Private_Dirty:\s+(\d+) kB", (about / "smaps_rollup").read_text())
    finally:
        process.terminate()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = status
        # The runtime API learns that its connection is gone before it gets another event.
        await asyncio.sleep(0.05)
    return answers, Cost(seconds, usage.ru_utime + usage.ru_stime, int(peak) * 1024, int(own) * 1024)


async def _answer(process: subprocess.Popen[bytes], runtime: RuntimeApi, event: Event) -> Event:
    invocation = asyncio.ensure_future(runtime.invoke(event))
    while not (await asyncio.wait({invocation}, timeout=1))[0]:
        if Path(f"/proc/{process.pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
            raise FailedError(f"{process.args!r} ended before it answered")
    answer = invocation.result()
    if answer["status"] != "SUCCESS":
        raise FailedError(f"{event['action']}: {answer}")
    return answer
