import contextlib
import io
import re
import shlex
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
from awscli.clidriver import create_clidriver
from cfn_engine.aws import REGION
from checkout import ROOT, TOOLS
from pages import commands, pages, templates

PAGES = [str(page.relative_to(ROOT)) for page in pages()]
PACKAGES = ["cfn-engine/README.md", "cfn-plugin/README.md"]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as they are made of their words."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", [*PAGES, "docs/README.md", "docs/tag.md", "runtime/README.md", *PACKAGES])
def test_every_link_of_a_page_leads_somewhere(name: str) -> None:
    page = ROOT / name
    # A pattern in code may look like a link.
    text = re.sub(r"<code>.*?</code>", "", page.read_text())
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    for link in links:
        target, _, anchor = link.partition("#")
        if re.match(r"https?://|mailto:", target):
            continue
        found = (page.parent / target).resolve() if target else page
        assert found.exists(), link
        if anchor and found.suffix == ".md" and name in PAGES:
            assert anchor in anchors(found), link


@pytest.mark.parametrize("name", PAGES)
def test_every_make_target_that_a_page_names_is_there(name: str) -> None:
    named = set(re.findall(r"(?:`|^ {4}|&& )make ([a-z-]+)", (ROOT / name).read_text(), flags=re.MULTILINE))
    assert named <= TARGETS


@pytest.mark.parametrize("name", PAGES)
def test_every_aws_command_of_a_page_is_one_that_the_aws_cli_takes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = ROOT
    for command in commands((ROOT / name).read_text()):
        if command.startswith("cd "):
            folder = ROOT / command.removeprefix("cd ")
        monkeypatch.chdir(folder)
        for words in aws_commands(command):
            check(words)


@pytest.mark.parametrize("name", PAGES)
def test_every_template_of_a_page_is_valid_or_part_of_an_example(name: str, tmp_path: Path) -> None:
    examples = [path.read_text() for path in (ROOT / "examples").rglob("*.yml")]
    for template in templates((ROOT / name).read_text()):
        if not template.startswith("Resources:"):
            assert any(textwrap.indent(template, "  ") in example for example in examples), template
            continue
        # As in the Makefile: under a name that it does not know, cfn-lint checks no properties.
        file = tmp_path / "template.yml"
        file.write_text(template.replace("Acme::IAM::AccessKey", "AWS::IAM::AccessKey"))
        command = [str(TOOLS / "cfn-lint"), "--registry-schemas", "schema", "--", str(file)]
        lint = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=120)
        assert lint.returncode == 0, lint.stdout + lint.stderr


def test_commands_and_templates_are_found_on_the_pages() -> None:
    texts = [page.read_text() for page in pages()]
    assert sum(len(aws_commands(command)) for text in texts for command in commands(text)) >= 50
    assert sum(len(templates(text)) for text in texts) >= 3


def test_the_readme_has_under_150_lines() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 150


def aws_commands(command: str) -> list[list[str]]:
    """The AWS CLI's commands in one of the shell, in a loop or in `$(…)` too, each as its words."""
    lines = re.sub(r"\$\(([^()]*)\)", r"\n\1\n", command.replace("\\\n", " ")).splitlines()
    return [shlex.split(line)[1:] for line in lines if line.lstrip().startswith("aws ")]


def check(words: list[str]) -> None:
    """Let the AWS CLI check a command up to the moment when it would send it."""
    if words[:2] == ["s3", "cp"]:
        return  # begins with the file, which only a build makes
    # A person pastes it.
    words = [word.replace("file:///dev/stdin", "{}") for word in words]
    taken: list[str] = []

    def take(model: Any, **_: object) -> None:
        taken.append(model.name)
        raise InterruptedError

    driver, said = create_clidriver(), io.StringIO()
    driver.session.register("before-call", take)
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        driver.main([*words, "--region", REGION])
    assert taken, f"aws {shlex.join(words)}\n{said.getvalue()}"
