"""The account that the scenarios are played in, the input sets that they are played with, and the page of results."""

from collections.abc import Generator, Iterator

import boto3
import pytest
from ports import HOST
from schema_rules import read
from surroundings import FUNCTION, REGION, ROOT, SCHEMA, aws, built_binary, function

from contract_v2.page import PAGE, Outcomes, page
from contract_v2.progress import Model
from contract_v2.resource_type import ResourceType
from inputs import InputSet, create_users, input_sets

SETS = input_sets()
OUTCOMES = pytest.StashKey[Outcomes]()


@pytest.fixture(scope="session")
def account() -> Iterator[ResourceType]:
    """An account with the users that the inputs name, and with keys that no scenario has made."""
    with aws() as aws_port, function(built_binary(), aws_port) as port:
        handlers = ResourceType(f"http://{HOST}:{port}/2015-03-31/functions/{FUNCTION}/invocations", read(SCHEMA))
        endpoint = f"http://{HOST}:{aws_port}"
        create_users(endpoint)
        add_strangers(endpoint, handlers)
        yield handlers


def add_strangers(endpoint: str, handlers: ResourceType) -> None:
    """Add keys of others: ones that this type has not made, and ones of other stacks, with a secret and without."""
    credentials = {"aws_access_key_id": "local", "aws_secret_access_key": "local"}
    iam, secrets = (
        boto3.client(service, endpoint_url=endpoint, region_name=REGION, **credentials)
        for service in ("iam", "secretsmanager")
    )
    for user in ("somebody+else@example.com", "nobody"):
        iam.create_user(UserName=user)
    for status in ("Active", "Inactive"):
        key = iam.create_access_key(UserName="somebody+else@example.com")["AccessKey"]["AccessKeyId"]
        iam.update_access_key(UserName="somebody+else@example.com", AccessKeyId=key, Status=status)
    for inputs in SETS:
        user = f"other-stack-{inputs.name}"
        iam.create_user(UserName=user)
        _kept, lost = (handlers.create({**inputs.create, "UserName": user}).succeeded().model for _ in range(2))
        secrets.delete_secret(SecretId=lost["SecretArn"], ForceDeleteWithoutRecovery=True)
    handlers.existing.clear()


@pytest.fixture
def handlers(account: ResourceType) -> Iterator[ResourceType]:
    """The resource type; what a scenario has created and not deleted is deleted after it."""
    yield account
    for model in list(account.existing.values()):
        account.delete(model).succeeded()


@pytest.fixture(params=SETS, ids=lambda inputs: inputs.name)
def inputs(request: pytest.FixtureRequest) -> InputSet:
    """Each input set in turn."""
    each: InputSet = request.param
    return each


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
    """Let `make contract` have the results written."""
    parser.addoption("--write-page", action="store_true", help=f"write the results to {PAGE.relative_to(ROOT)}")


def pytest_configure(config: pytest.Config) -> None:
    """Begin with no results."""
    config.stash[OUTCOMES] = {}


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
        PAGE.write_text(page(session.config.stash[OUTCOMES], [each.name for each in SETS]))
