import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
from cfn_project import TYPE_NAME, Project, schema
from rpdk_rust.new_project import EXAMPLE

RUNTIME = EXAMPLE.resolve().parent.parent
TYPE = "Initech::Tps::Report"
INIT = ["init", "--artifact-type", "RESOURCE", "--type-name", TYPE]
RUST = ["rust", "--runtime-crate", str(RUNTIME)]
# Of the example; then what the CLI makes of the schema.
WRITTEN = {
    ".cargo/config.toml",
    ".gitignore",
    ".rpdk-config",
    "Cargo.toml",
    "README.md",
    "examples/generate.rs",
    "initech-tps-report.json",
    "inputs/inputs_1_create.json",
    "inputs/inputs_1_invalid.json",
    "inputs/inputs_1_update.json",
    "sam-tests/create.json",
    "src/lib.rs",
    "src/main.rs",
    "template.yml",
    "tests/life.rs",
}
GENERATED = {"docs/README.md", "resource-role.yaml"}


def test_init_writes_the_example_under_the_names_of_the_type(empty_project: Project) -> None:
    empty_project.cfn(*INIT, *RUST)
    files = empty_project.files()
    assert files.keys() == WRITTEN | GENERATED
    assert [name for name, content in files.items() if b"acme" in content.lower()] == []
    manifest = tomllib.loads(files["Cargo.toml"].decode())
    assert manifest["package"]["name"] == "initech-tps-report"
    assert manifest["dependencies"]["cfn-resource-runtime"] == {"path": str(RUNTIME), "features": ["lambda"]}
    assert b"use initech_tps_report::NoteType;" in files["src/main.rs"]
    assert b'const TYPE_NAME: &str = "Initech::Tps::Report";' in files["src/lib.rs"]


def test_the_settings_are_those_of_a_type_in_rust_and_not_the_arguments_of_init(empty_project: Project) -> None:
    empty_project.cfn(*INIT, *RUST)
    settings = json.loads(empty_project.files()[".rpdk-config"])
    # The CLI's own.
    del settings["canarySettings"]
    assert settings == {
        "artifact_type": "RESOURCE",
        "typeName": TYPE,
        "language": "rust",
        "runtime": "provided.al2023",
        "entrypoint": "bootstrap",
        "testEntrypoint": "bootstrap",
        "settings": {"protocolVersion": "2.0.0"},
    }


def test_a_new_project_is_valid_and_documented_without_a_build(empty_project: Project) -> None:
    empty_project.cfn(*INIT, *RUST)
    assert empty_project.cfn("validate").splitlines() == ["Resource schema is valid."]
    files = empty_project.files()
    assert files["docs/README.md"].startswith(b"# Initech::Tps::Report\n")
    assert b"type/resource/Initech-Tps-Report/*" in files["resource-role.yaml"]
    assert empty_project.cargo_calls() == []


def test_init_without_the_option_asks_for_the_crate_until_it_is_one(empty_project: Project) -> None:
    # The Rust plugin is the only one here, so that the language is not asked for.
    said = empty_project.cfn(*INIT, answers=f"{empty_project.root}\n{RUNTIME}\n")
    assert said.count("Where is the crate cfn-resource-runtime?") == 2
    assert f"{empty_project.root} is not the folder of the crate cfn-resource-runtime" in said
    assert json.dumps(str(RUNTIME)) in (empty_project.root / "Cargo.toml").read_text()


def test_a_path_of_the_crate_is_made_absolute(empty_project: Project) -> None:
    link = empty_project.root / "runtime-crate"
    link.symlink_to(RUNTIME)
    empty_project.cfn(*INIT, "rust", "--runtime-crate", "runtime-crate")
    assert f'path = "{RUNTIME}"' in (empty_project.root / "Cargo.toml").read_text()


def test_an_option_that_is_not_the_crate_is_refused_before_anything_is_written(empty_project: Project) -> None:
    message = empty_project.cfn_refuses(*INIT, "rust", "--runtime-crate", "1.0", status=2)
    assert "no Cargo.toml in it says so. Give the path of runtime/" in message
    assert empty_project.files() == {}


def test_a_question_that_gets_no_answer_leaves_nothing(empty_project: Project) -> None:
    with pytest.raises(AssertionError, match="Where is the crate"):
        empty_project.cfn(*INIT)
    assert empty_project.files() == {}


def test_a_type_that_cargo_has_no_name_for_is_refused_and_leaves_nothing(empty_project: Project) -> None:
    init = ["init", "--artifact-type", "RESOURCE", "--type-name", "3Com::Tps::Report", *RUST]
    assert "3Com::Tps::Report begins with a digit" in empty_project.cfn_refuses(*init)
    assert empty_project.files() == {}


def test_files_that_are_there_are_kept_and_named_and_nothing_is_written(empty_project: Project) -> None:
    own = ["Cargo.toml", "docs/README.md", "initech-tps-report.json", "resource-role.yaml", "src"]
    for name in own:
        path = empty_project.root / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("of mine")
    message = empty_project.cfn_refuses(*INIT, *RUST)
    assert f"Nothing was written, because these are here already: {', '.join(own)}. Start in an empty folder" in message
    assert empty_project.files() == dict.fromkeys(own, b"of mine")


def test_forced_init_overwrites(empty_project: Project) -> None:
    for name in ("Cargo.toml", "initech-tps-report.json"):
        (empty_project.root / name).write_text("of mine")
    empty_project.cfn("init", "--force", *INIT[1:], *RUST)
    assert b"of mine" not in empty_project.files().values()
    empty_project.cfn("validate")


def test_init_keeps_pages_and_other_files(empty_project: Project) -> None:
    page = empty_project.root / "docs" / "install.md"
    page.parent.mkdir()
    for path in (page, empty_project.root / "LICENSE"):
        path.write_text("of mine")
    empty_project.cfn(*INIT, *RUST)
    files = empty_project.files()
    assert files["docs/install.md"] == files["LICENSE"] == b"of mine"


def test_init_in_a_project_keeps_all_of_it(project: Project) -> None:
    before = project.files()
    init = ["init", "--artifact-type", "RESOURCE", "--type-name", TYPE_NAME, *RUST]
    assert "Found existing settings - overwrite (y/N)?" in project.cfn_refuses(*init, answers="n\n")
    assert project.files() == before


def test_generate_mends_the_schema_that_a_forced_init_wrote_through_a_link(project: Project) -> None:
    project.cfn("init", "--force", "--artifact-type", "RESOURCE", "--type-name", TYPE_NAME, *RUST)
    project.cfn("generate")
    assert (project.root / "acme-iam-accesskey.json").is_symlink()
    assert (project.root / "schema" / "aws-iam-accesskey.json").read_text() == schema(TYPE_NAME)


def test_a_wheel_carries_the_example_whole(tmp_path: Path) -> None:
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, str(Path(__file__).parent.parent)], cwd=tmp_path, check=True, timeout=60)
    (wheel,) = tmp_path.glob("*.whl")
    folder = "rpdk_rust/project/"
    with zipfile.ZipFile(wheel) as archive:
        packed = {name.removeprefix(folder): archive.read(name) for name in archive.namelist() if folder in name}
    assert packed == {
        path.relative_to(EXAMPLE).as_posix(): path.read_bytes() for path in EXAMPLE.rglob("*") if path.is_file()
    }
