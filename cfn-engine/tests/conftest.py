"""One engine for all tests, in this process, with the made-up type; every test has stacks of its own."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from cfn_engine.aws import isolate
from cfn_engine.client import Engine
from cfn_engine.registry import Registration
from cfn_engine.server import application
from things import SCHEMA, Things, ThingStack
from werkzeug import Request
from werkzeug.serving import BaseWSGIServer, make_server


def pytest_configure() -> None:
    """Keeps the settings of whoever runs the tests out of them."""
    isolate()


@contextmanager
def serving(app: Any = None) -> Iterator[BaseWSGIServer]:
    """Serves at a port that nothing else has."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture(scope="session")
def engine_with_things() -> Iterator[tuple[Engine, Things]]:
    """An engine with the made-up type."""
    things = Things()
    with serving(Request.application(things.answer)) as api, serving() as server:
        registration = Registration(
            type_name="Acme::Test::Thing",
            schema=SCHEMA,
            lambda_url=f"http://127.0.0.1:{api.server_port}/",
            type_configuration={"Prefix": "p"},
            first_backoff_seconds=0.01,
        )
        endpoint = f"http://127.0.0.1:{server.server_port}"
        server.app = application([registration], endpoint)
        yield Engine(endpoint), things


@pytest.fixture
def things(engine_with_things: tuple[Engine, Things]) -> Things:
    """The handlers, with nothing done yet."""
    things = engine_with_things[1]
    things.requests, things.scripted, things.things, things.refused = [], {}, {}, lambda _: False
    return things


@pytest.fixture
def engine(engine_with_things: tuple[Engine, Things], things: Things) -> Iterator[Engine]:
    """The engine; no stack is left afterwards."""
    engine = engine_with_things[0]
    yield engine
    things.scripted, things.refused = {}, lambda _: False
    engine.set_rollbacks()
    for stack in engine.stacks():
        engine.delete(stack)


@pytest.fixture
def name() -> str:
    """A name that no other test has."""
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def stack(engine: Engine, name: str) -> ThingStack:
    """A stack to be."""
    return ThingStack(engine, name)
