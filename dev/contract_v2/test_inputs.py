"""AWS's section "Test input validation": of the files as the package carries them."""

import re

import botocore.session
from cfn_engine.handlers import names
from jsonschema import Draft7Validator
from projects import InputSet, Project
from schema_rules import read

from contract_v2.property_paths import declared, present

PARTITIONS = botocore.session.Session().get_available_partitions()
REGIONS = [region for each in PARTITIONS for region in botocore.session.Session().get_available_regions("ec2", each)]


def hardcoded(project: Project, inputs: InputSet, pattern: str) -> dict[str, list[str]]:
    """Return what matches in which of a set's files."""
    texts = {path.name: path.read_text() for path in project.input_files()[inputs.name].values()}
    found = {name: re.findall(pattern, text) for name, text in texts.items()}
    return {name: matches for name, matches in found.items() if matches}


def word(*words: str) -> str:
    """Return the pattern of any of these, where it is not part of a longer word."""
    return rf"(?<![\w-])(?:{'|'.join(map(re.escape, words))})(?![\w-])"


def no_hardcoded_regions(project: Project, inputs: InputSet) -> None:
    """No input file has the name of a region; `{{region}}` stands for it."""
    assert hardcoded(project, inputs, word(*REGIONS)) == {}


def no_hardcoded_account_ids(project: Project, inputs: InputSet) -> None:
    """No input file has an account id; `{{account}}` stands for it."""
    assert hardcoded(project, inputs, r"(?<!\d)\d{12}(?!\d)") == {}


def no_hardcoded_partitions(project: Project, inputs: InputSet) -> None:
    """No input file has the name of a partition; `{{partition}}` stands for it."""
    assert hardcoded(project, inputs, word(*PARTITIONS)) == {}


def test_property_coverage(project: Project) -> None:
    """The create and update inputs together use every property that can be set, with valid values."""
    schema = read(project.schema)
    validator = Draft7Validator(schema)
    used: set[str] = set()
    for each in project.input_sets():
        for properties in (each.create, each.update):
            validator.validate(properties)
            used |= present(properties)
        refused = {error.path[0] for error in validator.iter_errors(each.invalid)}
        assert refused == each.invalid.keys() - project.valid
    read_only = {f"/{name}" for name in names(schema, "readOnlyProperties")}
    assert declared(schema) - read_only - used == set()
