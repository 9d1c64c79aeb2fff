"""What the delivery of logs and metrics adds to a READ over TLS: round trips, milliseconds and instructions."""

import asyncio
import json
import statistics
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from certificates import certificates
from function import REQUEST, Event, first_answers, request
from instructions import instructions
from stand_in import Answer, Answering, Aws, Headers, Places, stand_in

# Seconds before each answer of AWS where round trips are counted: much more than the function itself takes.
LATENCY = 0.1
WARM_READS = 15
COLD_STARTS = 30


@dataclass
class Account(Aws):
    """The account with CloudWatch Logs and CloudWatch as well."""

    streams: set[tuple[str, str]] = field(default_factory=set)

    def services(self) -> dict[str, Answering]:
        """What answers for each service."""
        return super().services() | {"CLOUDWATCH_LOGS": self.logs, "CLOUDWATCH": self.cloudwatch}

    async def logs(self, _method: str, _path: str, headers: Headers, body: bytes) -> Answer:
        """Answer a call of CloudWatch Logs. Every group is there, and the streams that were created."""
        operation = headers["x-amz-target"].removeprefix("Logs_20140328.")
        self.calls[operation] += 1
        await asyncio.sleep(self.latency)
        kind = {"Content-Type": "application/x-amz-json-1.1"}
        call = json.loads(body)
        stream = (call["logGroupName"], call["logStreamName"])
        if operation == "CreateLogStream":
            self.streams.add(stream)
        if stream not in self.streams:
            return 400, kind, json.dumps({"__type": "ResourceNotFoundException"}).encode()
        return 200, kind, b"{}"

    async def cloudwatch(self, _method: str, path: str, _headers: Headers, _body: bytes) -> Answer:
        """Answer a call of CloudWatch, which speaks CBOR: an empty map."""
        self.calls[path.rsplit("/", 1)[-1]] += 1
        await asyncio.sleep(self.latency)
        return 200, {"Content-Type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}, b"\xa0"


def delivering(event: Event, stream: str) -> Event:
    """Return the request with the provider's part, from a resource of this name."""
    whole = json.loads(REQUEST.read_text())["requestData"]
    provider = {name: whole[name] for name in ("providerCredentials", "providerLogGroupName")}
    return event | {"requestData": event["requestData"] | provider | {"logicalResourceId": stream}}


@dataclass
class Bench:
    """A key to read, in an account."""

    binary: Path
    account: Account
    places: Places
    read: Event
    folder: Path

    async def milliseconds(self, events: list[Event]) -> list[float]:
        """Return how long one process takes for each of the events."""
        before = len(self.places.runtime.seconds)
        await first_answers([self.binary], self.places.env, self.places.runtime, events)
        return [seconds * 1000 for seconds in self.places.runtime.seconds[before:]]

    async def warm(self) -> dict[str, float]:
        """Return what a warm READ takes, in round trips: without a delivery, with one, and with a stream's first."""
        self.account.latency = LATENCY
        found = {}
        for name, events in {
            "without": [self.read] * WARM_READS,
            "with": [delivering(self.read, "Known")] * WARM_READS,
            "first": [delivering(self.read, f"New{number}") for number in range(WARM_READS)],
        }.items():
            taken = await self.milliseconds([delivering(self.read, "Known"), *events])
            found[name] = statistics.median(taken[1:]) / (LATENCY * 1000)
        self.account.latency = 0.0
        return found

    async def cold(self) -> dict[str, float]:
        """Return the milliseconds from the start of a process to its answer, and its CPU's, without and with."""
        found: dict[str, list[float]] = {name: [] for name in ("without", "without, CPU", "with", "with, CPU")}
        for _ in range(COLD_STARTS):
            for name, event in {"without": self.read, "with": delivering(self.read, "Known")}.items():
                _, cost = await first_answers([self.binary], self.places.env, self.places.runtime, [event])
                found[name].append(cost.seconds * 1000)
                found[f"{name}, CPU"].append(cost.cpu_seconds * 1000)
        return {name: statistics.median(values) for name, values in found.items()}

    async def counted(self, event: Event) -> float:
        """Return the instructions of a cold READ, in millions."""
        counts = await instructions([self.binary], self.places.env, self.places.runtime, [event], self.folder)
        return counts.total() / 1e6


async def delivery(binary: Path) -> list[str]:
    """Return the table, line by line."""
    account = Account()
    account.add_users(1, keys_each=0)
    [user] = account.keys
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        tls, roots = certificates(folder)
        async with stand_in(account, tls, roots) as places:
            create = delivering(request("CREATE", {"UserName": user}), "Known")
            [created], _ = await first_answers([binary], places.env, places.runtime, [create])
            read = request("READ", {"Id": created["resourceModel"]["Id"]})
            bench = Bench(binary, account, places, read, folder)
            warm, cold = await bench.warm(), await bench.cold()
            counts = await bench.counted(read), await bench.counted(delivering(read, "Known"))
    return [
        "| READ | without | with delivery | added |",
        "| --- | ---: | ---: | ---: |",
        row("warm, in round trips", warm["without"], warm["with"]),
        row("warm, a stream's first", warm["without"], warm["first"]),
        row("cold, ms", cold["without"], cold["with"]),
        row("cold, ms of CPU", cold["without, CPU"], cold["with, CPU"]),
        row("cold, million instructions", *counts),
    ]


def row(name: str, without: float, with_delivery: float) -> str:
    """Return a row of the table."""
    return f"| {name} | {without:.1f} | {with_delivery:.1f} | {with_delivery - without:.1f} |"
