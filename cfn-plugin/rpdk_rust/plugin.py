"""What `cfn init`, `cfn generate` and `cfn submit` do for a project whose `.rpdk-config` says `"language": "rust"`."""

import argparse
import io
import json
import logging
import shlex
import shutil
import stat
import subprocess
import zipfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rpdk.core.data_loaders import load_resource_spec
from rpdk.core.exceptions import CLIMisconfiguredError, InvalidProjectError, SpecValidationError, WizardValidationError
from rpdk.core.init import input_with_validation
from rpdk.core.plugin_base import LanguagePlugin
from rpdk.core.project import Project

from rpdk_rust.documents import documented_name, kept_pages
from rpdk_rust.elf import NotAnExecutableError, machine_of
from rpdk_rust.new_project import RUNTIME_CRATE, runtime_crate, write_project
from rpdk_rust.settings import Settings

LOG = logging.getLogger(__name__)

DISTRIBUTION = "cloudformation-cli-rust-plugin"

SCHEMA_COMMAND_SETTING = '"schemaCommand" in the settings of .rpdk-config'

# Neither RegisterType nor .rpdk-config has a setting for it, and the CLI's own plugins build for it alone
# (cloudformation-cli-go-plugin issue 194).
REGISTRY_MACHINE = "x86_64"


class RustLanguagePlugin(LanguagePlugin):  # type: ignore[misc]
    """Writes a new project, makes the registry schema from the Rust model, and packages the Lambda binary."""

    def __init__(self) -> None:
        """Take no options: everything comes from the project."""
        self._generating = False
        self._schema_is_current = False

    def init(self, project: Project) -> None:
        """Write a new project instead of the example that `cfn init` wrote before it came here."""
        # First: from here on, nothing that goes wrong leaves it behind.
        _remove_example(project)
        runtime = project.settings.get("runtime_crate") or input_with_validation(
            f"Where is the crate {RUNTIME_CRATE}?",
            runtime_crate,
            "\n(a path: runtime/ in a checkout of iam-access-key)",
        )
        write_project(project, runtime)
        # The CLI writes its own settings over the example's: all arguments of the command line, unless it gets these.
        settings = json.loads(project.settings_path.read_text(encoding="utf-8"))
        project.runtime = settings["runtime"]
        project.entrypoint = settings["entrypoint"]
        project.test_entrypoint = settings["testEntrypoint"]
        project.settings = settings["settings"]
        # `cfn init` generates next. That takes no build: the project's schema is the one of its model.
        project.load_schema()
        self._schema_is_current = True

    def generate(self, project: Project) -> None:
        """Write the schema, then the role again: `cfn` has made it from the schema that was there before."""
        if self._generating:
            return
        if not self._schema_is_current:
            _write_schema(project)
        self._generating = True
        with documented_name(project):
            project.generate()
        self._generating = False
        # `cfn` writes the type reference after this, without asking the plugin.
        project.generate_docs = _documenting(project)

    def package(self, project: Project, zip_file: zipfile.ZipFile) -> None:
        """Add `handler.zip`, with the release binary as `bootstrap`, to the package that `cfn submit` uploads."""
        binary = _release_binary(project)
        handler = io.BytesIO()
        with zipfile.ZipFile(handler, mode="w") as handler_zip:
            handler_zip.writestr(_entry("bootstrap", 0o755), binary, compress_type=zipfile.ZIP_DEFLATED)
        zip_file.writestr(_entry("handler.zip", 0o644), handler.getvalue())

    def get_plugin_information(self, project: Project) -> dict[str, str]:
        """Return what `cfn submit` records about this plugin, under the names that the CLI's own plugins use."""
        return {"plugin-name": "rust", "plugin-tool-version": version(DISTRIBUTION)}


def setup_subparser(subparsers: Any, parents: list[argparse.ArgumentParser]) -> None:
    """Let `cfn init rust` take as options what `cfn init` asks for."""
    description = "This sub command generates a project for a resource type in Rust."
    parser = subparsers.add_parser("rust", description=description, parents=parents)
    parser.set_defaults(language="rust")
    parser.add_argument(
        "--runtime-crate",
        type=_runtime_crate,
        metavar="PATH",
        help=f"The folder of the crate {RUNTIME_CRATE}: runtime/ in a checkout of iam-access-key.",
    )


def _runtime_crate(folder: str) -> Path:
    try:
        return runtime_crate(folder)
    except WizardValidationError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _remove_example(project: Project) -> None:
    # A link is not the CLI's: after `cfn init --force` its target holds the example, until the new schema is written.
    path = project.schema_path
    example = json.dumps(project.schema, indent=4) + "\n"
    if not path.is_symlink() and path.read_bytes() == example.encode():
        path.unlink()
    # Whatever was there, `cfn init` has already replaced.
    shutil.rmtree(project.example_inputs_path)


def _write_schema(project: Project) -> None:
    document = _generate_schema(project)
    if project.schema_path.read_text(encoding="utf-8") == document:
        return
    # Before it is written: `cfn` loads the schema file first, and with an invalid one never comes here again.
    project.schema = _load_schema(document, project)
    project.load_configuration_schema()
    # Through a link, if it is one.
    project.schema_path.write_text(document, encoding="utf-8")
    LOG.warning("Wrote %s from the Rust model.", project.schema_filename)


def _documenting(project: Project) -> Callable[[], None]:
    generate_docs = project.generate_docs

    def generate() -> None:
        with documented_name(project), kept_pages(project.root / "docs"):
            generate_docs()

    return generate


def _generate_schema(project: Project) -> str:
    command = [*Settings.of(project).schema_command, project.type_name]
    try:
        run = subprocess.run(command, cwd=project.root, check=True, capture_output=True, encoding="utf-8")
    except OSError as error:
        raise CLIMisconfiguredError(
            f"{command[0]} cannot be run ({error.strerror}). `cfn generate` makes the schema from the Rust model with "
            f"it: install it, put it on the PATH, or name another command as {SCHEMA_COMMAND_SETTING}."
        ) from error
    except subprocess.CalledProcessError as error:
        raise InvalidProjectError(
            f"`{shlex.join(command)}` ({SCHEMA_COMMAND_SETTING}) failed:\n{error.stderr.strip()}"
        ) from error
    return run.stdout


def _load_schema(document: str, project: Project) -> Any:
    file = io.StringIO(document)
    file.name = str(project.schema_path)  # what relative references start from
    try:
        return load_resource_spec(file)
    except SpecValidationError as error:
        raise InvalidProjectError(f"The schema of the Rust model is invalid: {error}") from error


def _release_binary(project: Project) -> bytes:
    settings = Settings.of(project)
    path, build = settings.binary, settings.build_command
    try:
        binary = path.read_bytes()
        machine = machine_of(binary)
    except OSError as error:
        raise InvalidProjectError(
            f"There is no release binary to package at {path} ({error.strerror}): build it with `{build}`, "
            'or name it as "binary" in the settings of .rpdk-config.'
        ) from error
    except NotAnExecutableError as error:
        raise InvalidProjectError(f"{path} is not an ELF executable: build it with `{build}`.") from error
    if machine != REGISTRY_MACHINE:
        raise InvalidProjectError(
            f"{path} is built for {machine}, but the registry runs handlers on {REGISTRY_MACHINE}: "
            f"build it with `{build}`."
        )
    return binary


def _entry(name: str, mode: int) -> zipfile.ZipInfo:
    # The default date is a fixed one, and the system is Unix wherever this runs: packages are reproducible.
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = (stat.S_IFREG | mode) << 16
    return entry
