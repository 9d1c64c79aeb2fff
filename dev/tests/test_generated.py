from generate import committed, generated


def test_the_committed_schema_type_reference_and_role_are_what_the_model_generates() -> None:
    made, there = generated(), committed()
    stale = {str(path) for path in made.keys() | there.keys() if made.get(path) != there.get(path)}
    assert stale == set(), "run `make schema` and commit"
