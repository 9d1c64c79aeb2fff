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

# By section, in the order and by the names of AWS's page. A name of several words is no function's name there either.
PUBLISHED: dict[str, Sequence[str]] = {
    "schema": ("Schema linter checks", "Schema backward-compatibility checks"),
    "create": (
        "test_create",
        "test_create_create",
        "test_create_create_primary_id_check",
        "test_create_read",
        "test_create_create_read",
        "test_create_with_read_response_lcs",
    ),
    "read": (
        "test_read_input_output_negative_match",
        "test_read_return_readonly_properties",
        "test_read_return_write_only_properties",
        "test_read_output_over_schema",
        "test_read_return_all_schema_properties_using_one_or_more_inputs",
    ),
    "update": (
        "test_update",
        "test_update_read",
        "test_update_primary_id_check",
        "test_read_by_create_equals_read_by_update",
        "test_update_list",
    ),
    "delete": (
        "test_create_delete",
        "test_delete_read",
        "test_delete_update",
        "test_delete_delete",
        "test_delete_list",
        "test_delete_create",
    ),
    "list": ("test_create_list", "test_create_list_read"),
    "inputs": ("no_hardcoded_regions", "no_hardcoded_account_ids", "no_hardcoded_partitions", "Property coverage"),
}
# Not AWS's: the order in which three keys of one user would live at once.
OURS: dict[str, Sequence[str]] = {
    "quota": (
        "test_a_third_key_beside_two_is_refused_and_leaves_both",
        "test_a_third_key_after_the_second_is_deleted_is_created",
    )
}

# What came of each test, by input set; by "" if it is played once for all sets.
Outcomes = dict[str, dict[str, str]]


def page(outcomes: Outcomes, sets: Sequence[str]) -> str:
    """Return the page's text."""
    tables = {section: table(section, names, outcomes, sets) for section, names in {**PUBLISHED, **OURS}.items()}
    return TEXT.read_text().format(cfn_test=EXPECTED, **tables)


def table(section: str, names: Sequence[str], outcomes: Outcomes, sets: Sequence[str]) -> str:
    """Return a section's table; AttributeError if one of AWS's scenarios has no test."""
    module = importlib.import_module(f"contract_v2.test_{section}")
    rows = [["test", "what it asks", *(f"`{name}`" for name in sets)], ["---"] * (2 + len(sets))]
    for name in names:
        test: FunctionType = getattr(module, function_name(name))
        played = outcomes.get(test.__name__, {})
        shown = f"`{name}`" if name == test.__name__ else name
        cells = [played.get(each, played.get("", "not played")) for each in sets]
        rows.append([shown, first_paragraph(test), *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def function_name(name: str) -> str:
    """Return the name of the function that plays what AWS calls so."""
    return name if "_" in name else "test_" + name.lower().replace(" ", "_").replace("-", "_")


def first_paragraph(test: FunctionType) -> str:
    """Return what a test asks, on one line."""
    return " ".join((inspect.getdoc(test) or "").split("\n\n")[0].split())
