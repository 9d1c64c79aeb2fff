"""One engine with the built handlers for all tests; every test has stacks of its own."""

import contextlib
import uuid
from collections.abc import Iterator

import pytest
from lab import Lab, laboratory


@pytest.fixture(scope="session")
def all_tests_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The engine with the built handlers."""
    with laboratory(tmp_path_factory.mktemp("logs")) as lab:
        yield lab


@pytest.fixture
def lab(all_tests_lab: Lab) -> Iterator[Lab]:
    """The engine; no stack is left afterwards, no call known or denied."""
    yield all_tests_lab
    all_tests_lab.deny()
    all_tests_lab.set_rollbacks()
    for stack in all_tests_lab.stacks():
        with contextlib.suppress(Exception):
            all_tests_lab.delete(stack)
    all_tests_lab.forget_calls()


@pytest.fixture
def name() -> str:
    """A name that no other test has: for a stack, for a user."""
    return f"test-{uuid.uuid4().hex[:12]}"
