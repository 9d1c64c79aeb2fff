"""AWS and the Lambda runtime API, as far as the benchmarks need them: over TLS, as slow and as limited as is asked for.

moto takes longer to answer than the function takes to ask, and knows no limit of requests per second.
"""

import asyncio
import json
import os
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

HOST = "127.0.0.1"
REGION = "us-east-1"
ARN = "arn:aws:lambda:us-east-1:123456789012:function:iam-access-key"
# As long as Lambda lets a handler of the registry run.
INVOCATION_SECONDS = 60

Headers = dict[str, str]
Answer = tuple[int, Headers, bytes]
Answering = Callable[[str, str, Headers, bytes], Awaitable[Answer]]


class HttpServer(asyncio.Protocol):
    """One connection of HTTP/1.1, kept open; requests come one after the other, with a Content-Length."""

    def __init__(self, answering: Answering) -> None:
        """Take what answers."""
        self._answering = answering
        self._received = bytearray()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport to answer on."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, _: Exception | None) -> None:
        """Leave unanswered what is open: an event must not go to a runtime that has ended."""
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer the request as soon as it is whole."""
        self._received += data
        head, separator, rest = bytes(self._received).partition(b"\r\n\r\n")
        if not separator:
            return
        first, *lines = head.decode().split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length:
            return
        self._received = bytearray(rest[length:])
        method, path, _ = first.split(" ")
        task = asyncio.ensure_future(self._answer(method, path, headers, rest[:length]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _answer(self, method: str, path: str, headers: Headers, body: bytes) -> None:
        status, more, answer = await self._answering(method, path, headers, body)
        lines = [f"HTTP/1.1 {status} .", *(f"{name}: {value}" for name, value in more.items())]
        head = "\r\n".join([*lines, f"Content-Length: {len(answer)}", "", ""]).encode()
        if not self._transport.is_closing():
            self._transport.write(head + answer)


@dataclass
class Aws:
    """IAM and Secrets Manager of one account, which are always consistent."""

    # Seconds before each answer.
    latency: float = 0.0
    # The IAM calls per second that are answered, over a second's burst of as many; None is no limit.
    iam_rate: float | None = None
    keys: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    secrets: dict[str, dict[str, Any]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    _tokens: float = 0.0
    _refilled: float = 0.0

    def services(self) -> dict[str, Answering]:
        """What answers for each service, by the names that the SDKs' settings have for them."""
        return {"IAM": self.iam, "SECRETS_MANAGER": self.secrets_manager}

    def add_users(self, count: int, keys_each: int = 1) -> None:
        """Add users with keys made long ago."""
        for number in range(count):
            made = [self._key(f"AKIA{number:012}{key:04}") for key in range(keys_each)]
            self.keys[f"user-{number:05}"] = [{**key, "CreateDate": "2025-01-01T00:00:00Z"} for key in made]

    def limit(self, rate: float | None) -> None:
        """Answer so many IAM calls per second from now on, and throttle the others."""
        self.iam_rate, self._tokens, self._refilled = rate, rate or 0.0, time.monotonic()

    async def iam(self, _method: str, _path: str, _headers: Headers, body: bytes) -> Answer:
        """Answer a call of IAM's query protocol."""
        call = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        action = call["Action"]
        await asyncio.sleep(self.latency)
        if self._is_throttled():
            self.calls["Throttling"] += 1
            return _iam_error("Throttling", "Rate exceeded")
        self.calls[action] += 1
        try:
            result = getattr(self, f"_{action}")(call)
        except KeyError:
            return _iam_error("NoSuchEntity", "It cannot be found")
        return 200, {"Content-Type": "text/xml"}, _xml(action, result)

    async def secrets_manager(self, _method: str, _path: str, headers: Headers, body: bytes) -> Answer:
        """Answer a call of Secrets Manager's JSON protocol."""
        action = headers["x-amz-target"].removeprefix("secretsmanager.")
        call = json.loads(body)
        self.calls[action] += 1
        await asyncio.sleep(self.latency)
        kind = {"Content-Type": "application/x-amz-json-1.1"}
        if action == "CreateSecret":
            secret = {key: call[key] for key in ("Name", "SecretString", "Tags", "Description") if key in call}
            arn = f"arn:aws:secretsmanager:us-east-1:123456789012:secret:{call['Name']}-AbCdEf"
            self.secrets[call["Name"]] = {**secret, "ARN": arn, "CreatedDate": time.time()}
        secret = self.secrets.get(call.get("SecretId", call.get("Name")), {})
        if not secret:
            error = {"__type": "ResourceNotFoundException", "message": "Secrets Manager can't find the secret."}
            return 400, kind, json.dumps(error).encode()
        if action == "DeleteSecret":
            del self.secrets[call["SecretId"]]
        return 200, kind, json.dumps(secret).encode()

    def _is_throttled(self) -> bool:
        if self.iam_rate is None:
            return False
        now = time.monotonic()
        self._tokens = min(self.iam_rate, self._tokens + (now - self._refilled) * self.iam_rate)
        self._refilled = now
        if self._tokens < 1:
            return True
        self._tokens -= 1
        return False

    def _key(self, key_id: str) -> dict[str, str]:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        return {"AccessKeyId": key_id, "Status": "Active", "CreateDate": now}

    def _CreateAccessKey(self, call: dict[str, str]) -> str:  # noqa: N802
        keys = self.keys[call["UserName"]]
        key = self._key(f"AKIAMADE{sum(self.calls.values()):012}")
        keys.append(key)
        made = {**key, "UserName": call["UserName"], "SecretAccessKey": "x" * 40}
        return f"<AccessKey>{_members(made)}</AccessKey>"

    def _DeleteAccessKey(self, call: dict[str, str]) -> str:  # noqa: N802
        keys = self.keys[call["UserName"]]
        key = {key["AccessKeyId"]: key for key in keys}[call["AccessKeyId"]]
        keys.remove(key)
        return ""

    def _ListAccessKeys(self, call: dict[str, str]) -> str:  # noqa: N802
        user = call["UserName"]
        keys = [f"<member>{_members({**key, 'UserName': user})}</member>" for key in self.keys[user]]
        return f"<IsTruncated>false</IsTruncated><AccessKeyMetadata>{''.join(keys)}</AccessKeyMetadata>"

    def _ListUsers(self, call: dict[str, str]) -> str:  # noqa: N802
        names = sorted(self.keys)
        start, count = int(call.get("Marker", "0")), int(call.get("MaxItems", "100"))
        page, end = names[start : start + count], start + count
        users = [
            f"<member><UserName>{name}</UserName><UserId>AIDA{name}</UserId><Path>/</Path>"
            f"<Arn>arn:aws:iam::123456789012:user/{name}</Arn><CreateDate>2025-01-01T00:00:00Z</CreateDate></member>"
            for name in page
        ]
        more = end < len(names)
        marker = f"<Marker>{end}</Marker>" if more else ""
        return f"<IsTruncated>{str(more).lower()}</IsTruncated>{marker}<Users>{''.join(users)}</Users>"


def _members(values: dict[str, str]) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items())


def _xml(action: str, result: str) -> bytes:
    return (
        f'<{action}Response xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><{action}Result>{result}</{action}Result>'
        f"<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata></{action}Response>"
    ).encode()


def _iam_error(code: str, message: str) -> Answer:
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    body = f"<ErrorResponse>{error}<RequestId>0</RequestId></ErrorResponse>"
    return (404 if code == "NoSuchEntity" else 400), {"Content-Type": "text/xml"}, body.encode()


class RuntimeApi:
    """The Lambda runtime API of one function: events are handed out one by one, in the order they were invoked."""

    def __init__(self) -> None:
        """Start without an event."""
        self._events: asyncio.Queue[tuple[int, dict[str, Any]]] = asyncio.Queue()
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        # How long each invocation took.
        self.seconds: list[float] = []

    async def invoke(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return the function's answer to the event."""
        number, started = len(self._answers), time.perf_counter()
        self._answers[number] = asyncio.get_running_loop().create_future()
        self._events.put_nowait((number, event))
        answer = await self._answers[number]
        self.seconds.append(time.perf_counter() - started)
        return answer

    async def answer(self, method: str, path: str, _headers: Headers, body: bytes) -> Answer:
        """Answer a call of the runtime."""
        if method == "GET" and path.endswith("/runtime/invocation/next"):
            number, event = await self._events.get()
            headers = {
                "Content-Type": "application/json",
                "Lambda-Runtime-Aws-Request-Id": str(number),
                "Lambda-Runtime-Deadline-Ms": str(int((time.time() + INVOCATION_SECONDS) * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": "Root=1-0-0",
            }
            return 200, headers, json.dumps(event).encode()
        if path.endswith("/response"):
            self._answers[int(path.split("/")[-2])].set_result(json.loads(body))
        else:
            for answer in self._answers.values():
                if not answer.done():
                    answer.set_exception(RuntimeError(f"the function failed: {path}: {body.decode()}"))
        return 202, {}, b"{}"


@dataclass
class Places:
    """The runtime API of a function, and the environment in which the function finds it, and AWS."""

    runtime: RuntimeApi
    env: dict[str, str]


@asynccontextmanager
async def stand_in(aws: Aws, tls: ssl.SSLContext, roots: Path) -> AsyncIterator[Places]:
    """Run the servers, each on a port of its own, with the certificate that AWS's show; `roots` is what is trusted."""
    runtime, loop, servers = RuntimeApi(), asyncio.get_running_loop(), list[asyncio.Server]()

    async def listen(answering: Answering, tls: ssl.SSLContext | None = None) -> int:
        servers.append(await loop.create_server(lambda: HttpServer(answering), HOST, 0, ssl=tls))
        return int(servers[-1].sockets[0].getsockname()[1])

    try:
        endpoints = {
            f"AWS_ENDPOINT_URL_{service}": f"https://localhost:{await listen(answering, tls)}"
            for service, answering in aws.services().items()
        }
        env = {
            "PATH": os.environ["PATH"],
            "TZ": "UTC",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_LAMBDA_RUNTIME_API": f"{HOST}:{await listen(runtime.answer)}",
            "AWS_LAMBDA_FUNCTION_NAME": "iam-access-key",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
            "SSL_CERT_FILE": str(roots),
            # What Python's SDK reads instead.
            "AWS_CA_BUNDLE": str(roots),
        }
        yield Places(runtime, env | endpoints)
    finally:
        for server in servers:
            server.close()
