from checkout import FUNCTION, ROOT
from contract_v2.page import PAGE, SECTIONS, page, scenarios
from package import stage
from projects import PROJECTS

TITLE = "# Acme::IAM::AccessKey"


def test_committed_schema_type_reference_and_role_are_what_the_model_makes() -> None:
    folder = stage("AWS::IAM::AccessKey")
    generated = ["aws-iam-accesskey.json", "resource-role.yaml"]
    generated += [f"docs/{page.name}" for page in (folder / "docs").iterdir()]
    stale = [name for name in generated if (folder / name).read_bytes() != (ROOT / name).read_bytes()]
    assert stale == [], "run `make schema` and commit"
    # A page by hand has a title of its own.
    left = {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md") if page.read_text().startswith(TITLE)}
    assert left <= set(generated), "no model generates it any more: delete it"


def test_what_a_reader_pastes_from_the_generated_files_is_not_amazons_own_type() -> None:
    for name in ("docs/README.md", "docs/tag.md", "resource-role.yaml"):
        text = (ROOT / name).read_text()
        assert "AWS::IAM::AccessKey" not in text and "AWS-IAM-AccessKey" not in text
    assert (ROOT / "docs/README.md").read_text().startswith(f"{TITLE}\n")


def test_the_contract_tests_page_has_every_scenario_passed_with_all_inputs() -> None:
    passed = {test.__name__: {"": "passed"} for section in SECTIONS for test in scenarios(section)}
    assert len(passed) == 32, "AWS's 30 scenarios, and two of the quota"
    names = [each.name for each in PROJECTS[FUNCTION].input_sets()]
    assert PAGE.read_text() == page(passed, names), "run `make contract` and commit"
