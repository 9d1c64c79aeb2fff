"""What `cfn init` writes: the example of the crate cfn-resource-runtime, under the names of another type."""

import json
import os
import tomllib
from pathlib import Path

from rpdk.core.exceptions import InvalidProjectError, WizardValidationError
from rpdk.core.project import RESOURCE_ROLE_TEMPLATE_FILENAME, Project

RUNTIME_CRATE = "cfn-resource-runtime"
# In a checkout a link to the example, in an installed package a copy of it.
EXAMPLE = Path(__file__).with_name("project")
TYPE_NAME, PACKAGE, CRATE = "Acme::Notes::Note", "acme-notes-note", "acme_notes_note"
PATH_OF_RUNTIME = 'path = "../.."'
# What the CLI writes after the plugin.
GENERATED = (RESOURCE_ROLE_TEMPLATE_FILENAME, "docs/README.md")


def runtime_crate(folder: str) -> Path:
    """Return the absolute path of the folder of the crate; WizardValidationError for any other folder.

    No version is taken: the crate is on no registry, where a stranger could publish one under its name.
    """
    path = Path(folder).expanduser().resolve()
    try:
        found = tomllib.loads((path / "Cargo.toml").read_text(encoding="utf-8"))["package"]["name"]
    except (OSError, ValueError, KeyError):
        found = None
    if found != RUNTIME_CRATE:
        raise WizardValidationError(
            f"{path} is not the folder of the crate {RUNTIME_CRATE}: no Cargo.toml in it says so. "
            "Give the path of runtime/ in a checkout of iam-access-key."
        )
    return path


def write_project(project: Project, runtime: Path) -> None:
    """Write every file of a new project; InvalidProjectError, and nothing is written, where one cannot be written.

    A file that is there already is overwritten only if the project says that files may be.
    """
    if project.type_name[0].isdigit():
        raise InvalidProjectError(
            f"{project.type_name} begins with a digit, which the name of a Cargo package, made of it, cannot. "
            "Choose another type name."
        )
    files = _files(project, runtime)
    if not project.overwrite_enabled:
        present = _present(project.root, [*files, *GENERATED])
        if present:
            raise InvalidProjectError(
                f"Nothing was written, because these are here already: {', '.join(present)}. Start in an empty folder, "
                "or let them be overwritten: `cfn init --force`."
            )
    for name, text in files.items():
        path = project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _files(project: Project, runtime: Path) -> dict[str, str]:
    package = project.hypenated_name
    renamed = {TYPE_NAME: project.type_name, PACKAGE: package, CRATE: package.replace("-", "_")}
    # A string is written in TOML as in JSON.
    renamed[PATH_OF_RUNTIME] = f"path = {json.dumps(str(runtime), ensure_ascii=False)}"

    def rename(text: str) -> str:
        for old, new in renamed.items():
            text = text.replace(old, new)
        return text

    paths = sorted(path for path in EXAMPLE.rglob("*") if path.is_file())
    return {rename(path.relative_to(EXAMPLE).as_posix()): rename(path.read_text(encoding="utf-8")) for path in paths}


def _present(root: Path, names: list[str]) -> list[str]:
    """Return which of the files are there, and what stands where one of their folders has to be."""
    folders = {parent for name in names for parent in Path(name).parents}
    in_the_way = {
        folder.as_posix() for folder in folders if os.path.lexists(root / folder) and not (root / folder).is_dir()
    }
    return sorted(in_the_way | {name for name in names if os.path.lexists(root / name)})
