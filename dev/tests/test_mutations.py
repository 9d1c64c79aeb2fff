import mutations
from surroundings import ROOT


def test_the_text_of_every_rule_that_is_switched_off_is_found_once() -> None:
    missing = {file: mutations.switched(file)[1] for file in {rule.file for rule in mutations.RULES}}
    assert {file: rules for file, rules in missing.items() if rules} == {}


def test_the_page_has_a_row_for_every_rule() -> None:
    page = mutations.PAGE.read_text()
    assert [rule.text for rule in mutations.RULES if f"| {rule.text} |" not in page] == [], "run `make mutations`"


def test_what_a_life_misses_is_looked_up_once() -> None:
    life = ROOT / "handlers/tests/simulation/life.rs"
    assert life.read_text().count(mutations.MISSED) == 1
