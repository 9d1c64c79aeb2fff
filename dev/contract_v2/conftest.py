"""The account that the scenarios are played in, the input sets that they are played with, and the page of results."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from checkout import ROOT
from local_aws import aws, function, invocations
from projects import PROJECTS, InputSet, Project
from schema_rules import read

from contract_v2.page import PAGE, Outcomes, page
from contract_v2.progress import Model
from contract_v2.resource_type import ResourceType

PROJECT = pytest.StashKey[Project]()
OUTCOMES = pytest.StashKey[Outcomes]()


@pytest.fixture(scope="session")
def project(request: pytest.FixtureRequest) -> Project:
    """The project whose type is tested."""
    return request.config.stash[PROJECT]


@pytest.fixture(scope="session")
def account(project: Project, request: pytest.FixtureRequest) -> Iterator[ResourceType]:
    """An account with what the inputs need, and with resources that no scenario has made."""
    with aws() as endpoint, function(request.config.getoption("--binary"), endpoint) as api:
        handlers = ResourceType(invocations(api), read(project.schema))
        project.prepare(endpoint)
        project.add_strangers(endpoint, handlers)
        handlers.existing.clear()
        yield handlers


@pytest.fixture
def handlers(account: ResourceType) -> Iterator[ResourceType]:
    """The resource type; what a scenario has created and not deleted is deleted after it."""
    yield account
    for model in list(account.existing.values()):
        account.delete(model).succeeded()


@pytest.fixture
def assigned_identifier(handlers: ResourceType) -> None:
    """Skip what can only happen where two equal templates are two resources."""
    if not handlers.assigns_identifier:
        pytest.skip("a template names the resource: there is no second one of the same properties")


@pytest.fixture
def created(handlers: ResourceType, inputs: InputSet) -> Model:
    """A resource that was created from the inputs."""
    return handlers.create(inputs.create).succeeded().model


@pytest.fixture
def updated(handlers: ResourceType, inputs: InputSet, created: Model) -> Model:
    """The same, updated."""
    return handlers.update(created, inputs.update, inputs.create).succeeded().model


@pytest.fixture
def deleted(handlers: ResourceType, created: Model) -> Model:
    """The same, deleted."""
    handlers.delete(created).succeeded()
    return created


def pytest_addoption(parser: pytest.Parser) -> None:
    """Say which function is tested, and let `make contract` have the results written."""
    parser.addoption("--binary", type=Path, required=True, help="the function, under its project's name")
    parser.addoption("--write-page", action="store_true", help=f"write the results to {PAGE.relative_to(ROOT)}")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with the project, and no results."""
    config.stash[PROJECT] = PROJECTS[config.getoption("--binary").name]
    config.stash[OUTCOMES] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Play a test that has inputs with each input set in turn."""
    if "inputs" in metafunc.fixturenames:
        sets = metafunc.config.stash[PROJECT].input_sets()
        metafunc.parametrize("inputs", sets, ids=[each.name for each in sets])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of READ last: they look at what READ has answered in all the others too.

    Before them those of LIST, which read the strangers' keys: READ waits for the secret of a key that is seconds old.
    """
    last = ["test_list.py", "test_read.py"]
    items.sort(key=lambda item: last.index(item.path.name) if item.path.name in last else -1)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note what came of a test, for its input set; a test without one is for all of them."""
    report = yield
    inputs = item.callspec.params.get("inputs") if hasattr(item, "callspec") else None
    name = inputs.name if isinstance(inputs, InputSet) else ""
    outcomes = item.config.stash[OUTCOMES].setdefault(item.originalname, {})
    if report.when == "call" or report.failed:
        outcomes[name] = report.outcome
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Write the page, unless the tests have not been run to the end."""
    ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    if ended and session.config.getoption("--write-page"):
        names = [each.name for each in session.config.stash[PROJECT].input_sets()]
        PAGE.write_text(page(session.config.stash[OUTCOMES], names))
