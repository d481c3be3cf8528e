"""What the project stands on is locked by hash, named without an address, and explained line by line."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
LOCKED = ("build", "run", "dev", "fuzz", "spark", "bench")
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; (?P<marker>[^\\]+?))?$")
HASH = re.compile(r"^--hash=sha256:[0-9a-f]{64}$")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named(requirement: str) -> str:
    """The distribution that a requirement names: `psycopg[binary]>=3` is psycopg."""
    return normal(re.split(r"[^\w.-]", requirement, maxsplit=1)[0])


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def runtime() -> set[str]:
    return {named(each) for each in pyproject()["project"]["dependencies"]}


def group(name: str) -> set[str]:
    return {named(each) for each in pyproject()["dependency-groups"][name]}


def chosen() -> set[str]:
    """What is installed by choice, whatever for."""
    return {named(each) for extra in pyproject()["project"]["optional-dependencies"].values() for each in extra}


def text_of(name: str) -> str:
    return (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")


def requirements(name: str) -> list[list[str]]:
    """Each requirement of a file as its pin and its hashes, comments dropped."""
    code = re.sub(r"[ ]*#.*", "", text_of(name)).replace("\\\n", " ")
    return [re.split(r" +(?=--)", line.strip()) for line in code.splitlines() if line.strip()]


def pins(name: str) -> dict[str, str]:
    """Names and versions; a second line for the same name (another marker) must have the same version."""
    found: dict[str, str] = {}
    for pin, *_ in requirements(name):
        match = PIN.match(pin)
        assert match, f"requirements/{name}.txt: {pin} is not a pin"
        assert found.setdefault(match["name"], match["version"]) == match["version"]
    return found


@pytest.mark.parametrize("name", LOCKED)
def test_every_requirement_has_its_hashes(name):
    lines = requirements(name)
    assert lines != []
    assert [pin for pin, *hashes in lines if not hashes or not all(HASH.match(each) for each in hashes)] == []


@pytest.mark.parametrize("name", LOCKED)
def test_a_requirements_file_names_no_address_and_no_path(name):
    words = re.compile(r"://|--(extra-)?index|--find-links|-e |file:|@|/(home|root|usr|opt|tmp)/")
    assert [line for line in text_of(name).splitlines() if words.search(line)] == []


def test_what_the_product_imports_is_locked_for_running():
    assert runtime() - set(pins("run")) == set()


def test_what_is_installed_by_choice_is_locked_for_its_tests():
    assert chosen() - set(pins("spark")) == set()


@pytest.mark.parametrize("name", ["build", "dev", "fuzz", "spark", "bench"])
def test_what_a_group_names_is_locked_in_its_file(name):
    assert group(name) - set(pins(name)) == set()


@pytest.mark.parametrize("name", ["dev", "spark", "bench"])
def test_tests_and_benchmarks_run_on_the_versions_that_are_shipped(name):
    theirs = pins(name)
    assert {each: theirs.get(each) for each in pins("run")} == pins("run")


def test_no_lock_file_that_names_a_host_is_kept():
    assert not (ROOT / "uv.lock").exists()


def test_every_dependency_has_its_line_in_the_decision_and_no_line_is_left_over():
    table = (ROOT / "docs" / "decisions" / "0003-dependencies.md").read_text(encoding="utf-8")
    explained = {normal(each) for each in re.findall(r"^\| `([\w.-]+)` \|", table, re.MULTILINE)}
    groups = set.union(*map(group, ("build", "dev", "fuzz", "spark", "bench")))
    assert explained == runtime() | chosen() | groups
