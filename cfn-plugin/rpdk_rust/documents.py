"""What `cfn generate` writes for people: the type reference in docs/, and resource-role.yaml."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from rpdk.core.project import Project

AMAZON = "AWS::"
EXAMPLE = "Acme::"


@contextmanager
def documented_name(project: Project) -> Iterator[None]:
    """Let `cfn` write under a name that a reader can register.

    An account cannot register a type under `AWS::`: a template pasted from the type reference would deploy Amazon's own
    type of that name, or none. So such a type is documented under `Acme::`, any other under its own name.
    """
    own = project.type_name
    if own.startswith(AMAZON):
        project.type_name = EXAMPLE + own.removeprefix(AMAZON)
    try:
        yield
    finally:
        project.type_name = own


@contextmanager
def kept_pages(docs: Path) -> Iterator[None]:
    """Put back the pages that `cfn` did not write again: it deletes the whole folder before it writes to it."""
    with TemporaryDirectory() as folder:
        kept = Path(folder, "docs")
        if docs.is_dir():
            shutil.copytree(docs, kept, symlinks=True)
        try:
            yield
        finally:
            for page in kept.rglob("*"):
                place = docs / page.relative_to(kept)
                if not page.is_dir() and not place.exists():
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(page, place, follow_symlinks=False)
