"""What holds for every test."""

from cfn_engine.aws import isolate


def pytest_configure() -> None:
    """Keeps the settings of whoever runs the tests out of them."""
    isolate()
