import re
from fnmatch import fnmatchcase

from cfnlint.decode import cfn_yaml
from checkout import ROOT

STATEMENT = re.compile(r"\b(warn|error)!\(([^;]*?)\"([^\"]+)\"\s*,?\s*\);")


def logged() -> set[tuple[str, str, str]]:
    """The warnings and errors that the code logs: level, text and file."""
    found: set[tuple[str, str, str]] = set()
    for crate in ("runtime/src", "schema/src", "handlers/src", "src"):
        for path in (ROOT / crate).rglob("*.rs"):
            if "tests" not in path.parts and path.name != "tests.rs":
                source = path.read_text()
                statements = STATEMENT.findall(source)
                assert len(statements) == len(re.findall(r"\b(?:warn|error)!\(", source)), path
                place = str(path.relative_to(ROOT))
                found.update((level.upper(), text, place) for level, _, text in statements)
    return found


def test_the_page_on_operations_has_every_warning_and_error_and_no_other() -> None:
    page = (ROOT / "docs/operations.md").read_text()
    told = set(re.findall(r"^\| (WARN|ERROR) `([^`]+)` \|", page, re.MULTILINE))
    assert told == {(level, text) for level, text, _ in logged()}


def test_the_alarm_about_orphans_counts_what_a_create_may_leave_and_no_other() -> None:
    resources = cfn_yaml.load(ROOT / "examples/operations.yml")["Resources"]
    pattern = resources["OrphanWarnings"]["Properties"]["FilterPattern"]
    found = re.fullmatch(r'\{ \$\.level = "WARN" && \$\.message = "([^"]+)" \}', pattern)
    assert found
    orphans = {"handlers/src/create/failure.rs", "handlers/src/create.rs"}
    for level, text, place in logged():
        assert fnmatchcase(text, found[1]) == (place in orphans), (level, text, place)
