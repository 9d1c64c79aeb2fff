"""docs/contract-tests.md: AWS's names of the scenarios, what each asks, and what came of it."""

import importlib
import inspect
from collections.abc import Sequence
from pathlib import Path
from types import FunctionType

from checkout import ROOT
from contract import EXPECTED

PAGE = ROOT / "docs/contract-tests.md"
TEXT = Path(__file__).with_name("page.md.in")

# In the order of AWS's page, but for the last, which is not AWS's: that three keys of one user never live at once.
SECTIONS = ("schema", "create", "read", "update", "delete", "list", "inputs", "quota")
# What AWS calls in words.
WORDS = {
    "test_schema_linter_checks": "Schema linter checks",
    "test_schema_backward_compatibility_checks": "Schema backward-compatibility checks",
    "test_property_coverage": "Property coverage",
}

# What came of each test, by input set; by "" if it is played once for all sets.
Outcomes = dict[str, dict[str, str]]


def page(outcomes: Outcomes, sets: Sequence[str]) -> str:
    """Return the page's text."""
    tables = {section: table(section, outcomes, sets) for section in SECTIONS}
    return TEXT.read_text().format(cfn_test=EXPECTED, **tables)


def scenarios(section: str) -> list[FunctionType]:
    """Return the tests of a section, which have AWS's names, in AWS's order."""
    functions = vars(importlib.import_module(f"contract_v2.test_{section}")).values()
    return [each for each in functions if getattr(each, "__name__", "").startswith(("test_", "no_hardcoded"))]


def table(section: str, outcomes: Outcomes, sets: Sequence[str]) -> str:
    """Return a section's table."""
    rows = [["test", "what it asks", *(f"`{name}`" for name in sets)], ["---"] * (2 + len(sets))]
    for test in scenarios(section):
        played = outcomes.get(test.__name__, {})
        cells = [played.get(each, played.get("", "not played")) for each in sets]
        rows.append([WORDS.get(test.__name__, f"`{test.__name__}`"), first_paragraph(test), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def first_paragraph(test: FunctionType) -> str:
    """Return what a test asks, on one line."""
    return " ".join((inspect.getdoc(test) or "").split("\n\n")[0].split())
