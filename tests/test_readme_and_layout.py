"""What must be in the repository: its files, pins for every dependency, and README commands and links that work."""

import os
import re
import tomllib
from pathlib import Path

import pytest

import bot

ROOT = Path(__file__).parents[1]
READMES = ["README.md", "README.ja.md"]

FOLDERS = ["bot", "model", "training", "tests", "model/checkpoints/catbot-mini"]
FILES = [
    ".ci/run",
    ".env.example",
    ".gitignore",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "LOG.md",
    "Makefile",
    "README.ja.md",
    "README.md",
    "constraints.txt",
    "pyproject.toml",
]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


# --- files ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FOLDERS)
def test_folder(name: str) -> None:
    assert (ROOT / name).is_dir()


@pytest.mark.parametrize("name", FILES)
def test_file(name: str) -> None:
    assert read(name).strip()


def test_ci_runs_what_people_run() -> None:
    script = ROOT / ".ci/run"
    assert os.access(script, os.X_OK)
    text = script.read_text("utf-8")
    assert text.startswith("#!")
    assert re.search(r"^[^#\n]*\bmake test\b", text, re.MULTILINE)


def test_the_token_file_is_never_committed() -> None:
    assert ".env" in read(".gitignore").split()


def test_tests_do_not_hide_the_package_that_they_test() -> None:
    assert Path(bot.__file__).parent == ROOT / "bot"
    if (ROOT / "tests/bot/__init__.py").exists():
        assert (ROOT / "tests/__init__.py").exists(), "without it, pytest would import tests/bot as the package `bot`"


# --- versions ---------------------------------------------------------------------------------------------------


def normal(name: str) -> str:
    """The name of a distribution as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements() -> list[str]:
    """Names of every distribution that pyproject.toml asks for, extras and the build included; not the project itself."""
    data = tomllib.loads(read("pyproject.toml"))
    project = data["project"]
    extras = [line for lines in project["optional-dependencies"].values() for line in lines]
    lines = [*data["build-system"]["requires"], *project["dependencies"], *extras]
    names = {normal(re.split(r"[^\w.-]", line)[0]) for line in lines}
    return sorted(names - {project["name"]})


def pins() -> dict[str, str]:
    lines = [line.partition("#")[0].strip() for line in read("constraints.txt").splitlines()]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines if line)
    return {normal(name): version for name, _, version in (line.partition("==") for line in lines if line)}


@pytest.mark.parametrize("name", requirements())
def test_every_dependency_is_pinned(name: str) -> None:
    assert name in pins()


def test_torch_is_pinned_without_a_build() -> None:
    assert pins()["torch"] == "2.13.0"


def test_each_pin_stands_once() -> None:
    names = [normal(line.partition("==")[0]) for line in read("constraints.txt").splitlines() if "==" in line]
    assert sorted(names) == sorted(set(names))


def test_make_installs_with_the_pins() -> None:
    assert re.search(r"^export PIP_CONSTRAINT := .*constraints\.txt$", read("Makefile"), re.MULTILINE)


# --- READMEs ----------------------------------------------------------------------------------------------------


def make_targets() -> set[str]:
    """Targets that the Makefile says are commands, and has a rule for."""
    text = read("Makefile")
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    return set(phony.split()) & set(re.findall(r"^([\w-]+):", text, re.MULTILINE))


def code(name: str) -> str:
    """What stands in code in a document: fenced blocks, indented ones and inline."""
    text = read(name)
    indented = re.findall(r"^ {4}(.*)$", text, re.MULTILINE)
    return "\n".join(re.findall(r"```\w*\n(.*?)```", text, re.DOTALL) + indented + re.findall(r"`([^`\n]+)`", text))


@pytest.mark.parametrize("name", READMES)
def test_the_make_commands_of_the_readme_exist(name: str) -> None:
    used = set(re.findall(r"\bmake(?: [A-Z]+=\S+)* ([a-z][\w-]*)", code(name)))
    assert {"run", "test"} <= used
    assert used <= make_targets()


@pytest.mark.parametrize("name", READMES)
def test_the_catbot_commands_of_the_readme_exist(name: str) -> None:
    from bot.__main__ import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(re.findall(r"(?:^|[\s/])catbot ([a-z]+)", code(name), re.MULTILINE)) <= known


@pytest.mark.parametrize("name", [*READMES, "CONTRIBUTING.md", "CHANGELOG.md", "LOG.md"])
def test_links_inside_the_repository_lead_somewhere(name: str) -> None:
    text = read(name)
    targets = re.findall(r"\]\(([^)\s]+)(?: [^)]*)?\)", text) + re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]
    assert [target for target in local if not (ROOT / target).exists()] == []


@pytest.mark.parametrize("name", READMES)
def test_the_readmes_lead_to_each_other(name: str) -> None:
    (other,) = set(READMES) - {name}
    assert f"]({other})" in read(name) or f'href="{other}"' in read(name)


@pytest.mark.parametrize("name", READMES)
def test_settings_that_the_readme_names_exist(name: str) -> None:
    from bot.settings import Settings

    named = set(re.findall(r"\b(?:CATBOT|DISCORD|ADMIN)_[A-Z_]+\b", read(name)))
    assert named <= {setting.upper() for setting in Settings.model_fields}
