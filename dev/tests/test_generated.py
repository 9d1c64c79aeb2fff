from generate import GENERATED
from package import own_type_name, stage
from surroundings import ROOT


def test_the_committed_schema_type_reference_and_role_are_what_the_model_generates() -> None:
    folder = stage(own_type_name())
    stale = [
        committed
        for made, committed in GENERATED.items()
        if (folder / made).read_bytes() != (ROOT / committed).read_bytes()
    ]
    assert stale == [], "run `make schema` and commit"
