"""What holds for every test."""

from surroundings import isolate


def pytest_configure() -> None:
    """Keeps the settings of whoever runs the tests out of them."""
    isolate()
