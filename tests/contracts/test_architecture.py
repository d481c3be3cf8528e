"""The house rules that no linter knows, held over the tree as it stands.

Each rule is a function from a parsed module to the places that break it. The first half of the tests runs them over
the project; the last test shows, rule by rule, that a breach would be seen.
"""

import ast
import importlib
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("consent", "personalise", "api")
MODULE_LINES = 400
ONE_FILE = {"consent/audit/packs/verify.py": 600}
"""What goes out as one file, to be read by strangers who have nothing else of ours: how long it may be."""
FUNCTION_LINES = 40
VAGUE = ("util", "helper", "common", "misc", "manager", "service", "handler")
VAGUE_NAMES = frozenset(VAGUE) | {f"{name}s" for name in VAGUE}
TRANSACTIONS = "consent/base/store.py"  # the one module that begins and ends them
TRANSACTION_CALLS = frozenset({"begin", "begin_nested", "begin_twophase", "commit", "rollback"})

# Written so that none of these lines matches itself.
REGISTRY_HOSTS = r"pyp[i][.]org|pythonhoste[d]|registry[.]npmj[s]|(deb|security)[.]debia[n]|crates[.]i[o]/"
MACHINE_PATHS = r"(?<![\w.])/(wor[k]/(main|shared|steering|[.]library)|tm[p]/(plan|trial|frame)|far[m])\b"
MAKERS = r"\b(clau[d]e|anthropi[c]|opena[i]|chatgp[t]|copilo[t]|sub-?agen[t]|coding agen[t]|ai assistan[t])\b"

Breaches = Iterator[tuple[int, str]]
Rule = Callable[[ast.Module], Breaches]
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def tree_files(*patterns: str) -> list[Path]:
    """What is committed or about to be: tracked files and new ones that are not ignored."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(path for name in names.split("\0") if name and (path := ROOT / name).is_file())


def product_modules() -> list[Path]:
    return tree_files(*(f"{package}/*.py" for package in PRODUCT))


def place(path: Path, line: int, what: str) -> str:
    return f"{path.relative_to(ROOT)}:{line}: {what}"


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def breaches(rule: Rule, paths: list[Path]) -> list[str]:
    return [place(path, line, what) for path in paths for line, what in rule(parsed(path))]


# ---------------------------------------------------------------------------------------------------------- the rules


def long_functions(module: ast.Module) -> Breaches:
    for node in ast.walk(module):
        if isinstance(node, FUNCTIONS):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > FUNCTION_LINES:
                yield node.lineno, f"{node.name} has {lines} lines"


def undocumented(module: ast.Module) -> Breaches:
    if not ast.get_docstring(module):
        yield 1, "the module has no docstring"
    yield from _undocumented_in(module.body, owner="")


def _undocumented_in(body: list[ast.stmt], *, owner: str) -> Breaches:
    for node in body:
        if not isinstance(node, (ast.ClassDef, *FUNCTIONS)) or node.name.startswith("_"):
            continue
        # What overrides or overloads is documented where it was first declared.
        if {"override", "overload"} & {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}:
            continue
        if not ast.get_docstring(node):
            yield node.lineno, f"{owner}{node.name} has no docstring"
        if isinstance(node, ast.ClassDef):
            yield from _undocumented_in(node.body, owner=f"{node.name}.")


def inner_imports(module: ast.Module) -> Breaches:
    inner = {
        (each.lineno, ast.unparse(each))
        for function in ast.walk(module)
        if isinstance(function, FUNCTIONS)
        for each in ast.walk(function)
        if isinstance(each, (ast.Import, ast.ImportFrom))
    }
    yield from sorted(inner)  # once, also within a function of a function


def transactions(module: ast.Module) -> Breaches:
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in TRANSACTION_CALLS:
            yield node.lineno, ast.unparse(node)


def empty_assertions(module: ast.Module) -> Breaches:
    for node in ast.walk(module):
        if isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant) and node.test.value:
            yield node.lineno, ast.unparse(node)


def swallowed_errors(module: ast.Module) -> Breaches:
    for node in ast.walk(module):
        if not isinstance(node, ast.ExceptHandler):
            continue
        if node.type is None:
            yield node.lineno, "except without a type"
        only = node.body[0] if len(node.body) == 1 else None
        if isinstance(only, ast.Pass) or (isinstance(only, ast.Expr) and isinstance(only.value, ast.Constant)):
            yield node.lineno, "an error is dropped; contextlib.suppress says so where that is meant"


def product_imports(module: ast.Module) -> Breaches:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names = [each.name for each in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            continue
        if {name.partition(".")[0] for name in names} & set(PRODUCT):
            yield node.lineno, ast.unparse(node)


MARK = re.compile(r"#\s*(noqa|type:\s*ignore|pragma:\s*no\s*(cover|branch)|ruff:|mypy:|nosec)", re.IGNORECASE)
REASON = re.compile(r"(--|#)\s*\w.{5,}$")


def unexplained_marks(source: str) -> Breaches:
    """Yield each switched-off check without a reason: `# noqa: X -- reason`, `# type: ignore[x]  # reason`."""
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or not (mark := MARK.search(token.string)):
            continue
        if not REASON.search(token.string[mark.end() :]):
            yield token.start[0], token.string


# ------------------------------------------------------------------------------------------------- over the whole tree


def test_modules_are_at_most_400_lines_long():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in product_modules()}
    allowed = {path: ONE_FILE.get(path.relative_to(ROOT).as_posix(), MODULE_LINES) for path in lengths}
    assert [place(path, lines, "lines") for path, lines in lengths.items() if lines > allowed[path]] == []


def test_functions_are_at_most_40_lines_long():
    assert breaches(long_functions, product_modules()) == []


def test_no_module_has_a_name_that_could_hold_anything():
    paths = [path.relative_to(ROOT) for path in product_modules()]
    assert [str(path) for path in paths if VAGUE_NAMES & {*path.parts[:-1], *path.stem.split("_")}] == []


def test_every_public_module_class_and_function_is_documented():
    assert breaches(undocumented, product_modules()) == []


def test_imports_stand_at_the_top():
    assert breaches(inner_imports, product_modules()) == []


def test_only_the_store_begins_and_ends_transactions():
    assert breaches(transactions, [path for path in product_modules() if path != ROOT / TRANSACTIONS]) == []


def test_migrations_import_nothing_from_the_product():
    # Numbered ones: they must read the same in years. env.py may name the tables to compare them with.
    assert breaches(product_imports, tree_files("migrations/[0-9]*.py", "migrations/**/[0-9]*.py")) == []


def test_no_assertion_is_empty():
    assert breaches(empty_assertions, tree_files("*.py")) == []


def test_no_error_is_swallowed():
    assert breaches(swallowed_errors, tree_files("*.py")) == []


def test_every_check_that_is_switched_off_says_why():
    marks = [
        place(path, line, comment)
        for path in tree_files("*.py")
        for line, comment in unexplained_marks(path.read_text(encoding="utf-8"))
    ]
    assert marks == []


def test_imports_keep_to_the_layers():
    # In a process of its own: it configures logging, and thereby silences every logger that is there already.
    linter = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-logo"]

    done = subprocess.run(linter, cwd=ROOT, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("package", PRODUCT)
def test_a_package_is_imported_from_this_checkout(package):
    # Everything above reads this tree: a copy installed elsewhere would be tested instead of it.
    assert Path(importlib.import_module(package).__file__ or "").parent == ROOT / package


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(REGISTRY_HOSTS, id="package-registries"),
        pytest.param(MACHINE_PATHS, id="paths-of-a-machine"),
        pytest.param(MAKERS, id="tools-of-its-makers"),
    ],
)
def test_the_tree_does_not_name(pattern):
    forbidden = re.compile(pattern, re.IGNORECASE)
    found = [
        place(path, number, line.strip())
        for path in tree_files()
        if b"\0" not in (content := path.read_bytes())
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1)
        if forbidden.search(line)
    ]
    assert found == []


# --------------------------------------------------------------------------------------- the rules see what they forbid

BREACHES: list[tuple[Rule, str, str]] = [
    (long_functions, "def f():" + "\n    x()" * FUNCTION_LINES, "def f():" + "\n    x()" * (FUNCTION_LINES - 1)),
    (undocumented, '"""M."""\ndef f(): ...', '"""M."""\ndef f():\n    """F."""\ndef _g(): ...'),
    (undocumented, '"""M."""\nclass C:\n    """C."""\n    def f(self): ...', '"""M."""\nclass _C:\n    def f(s): ...'),
    (undocumented, "x = 1", '"""M."""'),
    (inner_imports, "def f():\n    import os", "import os\ndef f(): ..."),
    (transactions, "connection.commit()", "commit()"),
    (transactions, "with engine.begin() as connection: ...", "with store.write() as work: ..."),
    (empty_assertions, "assert 1", "assert x == 1"),
    (swallowed_errors, "try: f()\nexcept: g()", "try: f()\nexcept KeyError: g()"),
    (swallowed_errors, "try: f()\nexcept KeyError: pass", "with suppress(KeyError): f()"),
    (swallowed_errors, "try: f()\nexcept KeyError: ...", "try: f()\nexcept KeyError: return"),
    (product_imports, "from consent.base import ids", "from alembic import op"),
    (product_imports, "import personalise.tables", "import sqlalchemy"),
]


@pytest.mark.parametrize(("rule", "bad", "good"), BREACHES)
def test_a_rule_sees_its_breach_and_nothing_else(rule, bad, good):
    assert (len(list(rule(ast.parse(bad)))), list(rule(ast.parse(good)))) == (1, [])


@pytest.mark.parametrize(
    ("comment", "seen"),
    [
        ("# noqa: E501", True),
        ("# noqa: E501 -- a published vector is one line", False),
        ("# type: ignore[misc]", True),
        ("# type: ignore[misc]  # the library ships no types", False),
        ("# pragma: no cover", True),
        ("# pragma: no cover -- only on a system without fsync", False),
        ("# a comment about noqa", False),
    ],
)
def test_a_switched_off_check_without_a_reason_is_seen(comment, seen):
    assert bool(list(unexplained_marks(f"x = 1  {comment}\n"))) is seen


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        (REGISTRY_HOSTS, "https://pypi" + ".org/simple"),
        (MACHINE_PATHS, "see /" + "work/main/consent"),
        (MAKERS, "written by an AI" + " assistant"),
    ],
)
def test_a_forbidden_name_is_seen(pattern, text):
    assert re.search(pattern, text, re.IGNORECASE) is not None
