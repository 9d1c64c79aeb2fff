import io
import json
import os
import stat
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from cfn_project import BINARY, TYPE_NAME, Project, elf, schema


def submit(project: Project) -> zipfile.ZipFile:
    """Package the project and open what came out."""
    project.cfn("submit", "--dry-run")
    return zipfile.ZipFile(project.root / "acme-iam-accesskey.zip")


def test_the_cli_accepts_the_project_without_a_warning(project: Project) -> None:
    assert project.cfn("validate").splitlines() == ["Resource schema is valid."]


def test_the_package_holds_the_schema_the_settings_and_the_handler(project: Project) -> None:
    with submit(project) as package:
        assert sorted(package.namelist()) == [
            ".cfn_metadata.json",
            ".rpdk-config",
            "configuration-schema.json",
            "handler.zip",
            "schema.json",
        ]
        assert package.read("schema.json").decode() == schema(TYPE_NAME)
        assert json.loads(package.read(".rpdk-config"))["runtime"] == "provided.al2023"


def test_handler_zip_holds_the_binary_as_an_executable_bootstrap(project: Project) -> None:
    with submit(project) as package, zipfile.ZipFile(io.BytesIO(package.read("handler.zip"))) as handler:
        (bootstrap,) = handler.infolist()
        assert bootstrap.filename == "bootstrap"
        assert bootstrap.external_attr >> 16 == stat.S_IFREG | 0o755
        assert handler.read("bootstrap") == elf()


def test_the_same_binary_gives_the_same_handler_zip_whenever_it_was_built(project: Project) -> None:
    binary = project.root / BINARY
    with submit(project) as package:
        first = package.read("handler.zip")
        assert package.getinfo("handler.zip").date_time == (1980, 1, 1, 0, 0, 0)
    os.utime(binary, (1_000_000_000, 1_000_000_000))
    binary.chmod(0o600)
    with submit(project) as package:
        assert package.read("handler.zip") == first


def test_the_metadata_names_the_plugin_and_its_version(project: Project) -> None:
    with submit(project) as package:
        metadata = json.loads(package.read(".cfn_metadata.json"))
    assert metadata["plugin-name"] == "rust"
    assert metadata["plugin-tool-version"] == version("cloudformation-cli-rust-plugin")


def test_a_staged_project_finds_the_binary_that_its_settings_name(project: Project) -> None:
    (project.root / BINARY).unlink()
    project.write_binary(elf(), "../lambda/bootstrap")
    project.write_settings({"binary": "../lambda/bootstrap"})
    with submit(project) as package, zipfile.ZipFile(io.BytesIO(package.read("handler.zip"))) as handler:
        assert handler.read("bootstrap") == elf()


def test_a_binary_that_was_not_built_is_refused_with_the_command_that_builds_it(project: Project) -> None:
    binary = project.root / BINARY
    binary.unlink()
    message = project.cfn_refuses("submit", "--dry-run")
    assert f"There is no release binary to package at {binary} (No such file or directory)" in message
    assert "`cargo lambda build --release --x86-64`" in message


def test_a_setting_that_names_no_binary_is_refused_with_the_path_it_leads_to(project: Project) -> None:
    project.write_settings({"binary": "nowhere/bootstrap"})
    message = project.cfn_refuses("submit", "--dry-run")
    assert f"There is no release binary to package at {project.root / 'nowhere/bootstrap'} (" in message


@pytest.mark.parametrize(
    ("binary", "cpu"),
    [
        (elf(machine=183), "aarch64"),
        (elf(machine=3), "386"),
        (elf(machine=22, byte_order="big"), "s390"),
        (elf(machine=65000), "65000"),
    ],
)
def test_a_binary_for_another_cpu_is_refused_with_both_names(project: Project, binary: bytes, cpu: str) -> None:
    project.write_binary(binary)
    message = project.cfn_refuses("submit", "--dry-run")
    assert f"is built for {cpu}, but the registry runs handlers on x86_64" in message
    assert "build it with `cargo lambda build --release --x86-64`" in message


@pytest.mark.parametrize(
    "content",
    [b"", b"#!/bin/sh\nexit 0\n# a script", b"\xcf\xfa\xed\xfe" + bytes(60), elf()[:19], elf()[:63], elf(kind=1)],
    ids=["empty", "script", "macOS executable", "cut short", "cut shorter by a byte", "object file"],
)
def test_a_file_that_is_no_elf_executable_is_refused(project: Project, content: bytes) -> None:
    path: Path = project.write_binary(content)
    message = project.cfn_refuses("submit", "--dry-run")
    assert f"{path} is not an ELF executable: build it with `cargo lambda build --release --x86-64`." in message


def test_messages_name_the_build_command_of_the_settings(project: Project) -> None:
    (project.root / BINARY).unlink()
    project.write_settings({"buildCommand": "make release"})
    assert "build it with `make release`" in project.cfn_refuses("submit", "--dry-run")


def test_an_executable_at_a_fixed_address_is_packaged_too(project: Project) -> None:
    project.write_binary(elf(kind=2))
    submit(project).close()
