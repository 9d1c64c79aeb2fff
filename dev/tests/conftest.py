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
    """The engine; no call is known or denied yet, and no stack is left afterwards."""
    all_tests_lab.forget_calls()
    all_tests_lab.deny()
    yield all_tests_lab
    all_tests_lab.deny()
    all_tests_lab.set_rollbacks()
    for stack in all_tests_lab.cloudformation.describe_stacks()["Stacks"]:
        with contextlib.suppress(Exception):
            all_tests_lab.cloudformation.delete_stack(StackName=stack["StackName"])


@pytest.fixture
def name() -> str:
    """A name that no other test has: for a stack, for a user."""
    return f"test-{uuid.uuid4().hex[:12]}"
