"""Who may import whom: the shape of the project is a test, not a wish."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

# All of them read the same modules.
pytestmark = pytest.mark.xdist_group("architecture")

PACKAGE = Path(__file__).parent.parent / "grader"
ALLOWED = {
    "schema": set(),
    "facts": {"schema"},
    "inside": set(),
    "datasets": {"schema", "facts"},
    "intake": {"schema", "facts"},
    "store": {"schema"},
    "evidence": {"schema", "facts"},
    "execution": {"schema", "facts"},
    "checks": {"schema", "facts"},
    "grading": {"schema", "facts"},
    "report": {"schema", "facts"},
    "delivery": {"schema", "facts", "report"},
    "authoring": {"schema", "facts"},
    "web": set(),
    "pipeline": {
        *("schema", "facts", "inside", "datasets", "intake", "store", "evidence", "execution", "checks", "grading"),
        *("report", "delivery", "authoring", "resources", "version"),
    },
}
"""Package → the packages of the grader that it may import."""
CONNECTING = {"cli", "desk", "pytest_plugin", "service"}
"""Packages that may import any of them: `cli` parses, `desk` serves the page for people who judge, `pytest_plugin`
shows criteria as tests, `service` grades uploads."""
INSIDE: dict[str, set[str]] = {
    "children": set(),
    "record": set(),
    "hooking": {"record"},
    "describe": {"record", "hooking"},
    "watch": {"record", "hooking", "describe"},
    "keras2": {"record", "hooking", "describe"},
    "notebook": {"record", "hooking", "describe"},
    "data": {"record", "hooking", "describe"},
}
"""Part of `inside` → the parts that it may import. The programs and `install` import any; no part imports them."""
OWN_BASE = {"checks": "support", "execution": "sandbox"}
"""Package → its sub-package that the rest of the package builds on, and that imports nothing of the rest."""
SUB_PACKAGES = {
    *(f"inside.{part}" for part in INSIDE),
    *(f"{package}.{base}" for package, base in OWN_BASE.items()),
    *("checks.diagnostics", "delivery.formats", "grading.drafting", "grading.mutations", "intake.nbgrader"),
    "pipeline.ray",
}
TYPES_OF_THE_RECORD = "grader.inside.record"
"""May be imported by every package, for its types alone."""
INSIDE_MAY_IMPORT = {"numpy", "wrapt", "tensorflow", "keras", "tf_keras", "h5py"}
"""Beside the standard library; anything else must be guarded by the caller having it (IPython, matplotlib …)."""
INSIDE_MEETS_IN_THE_NOTEBOOK = {"IPython", "ipykernel", "matplotlib", "matplotlib_inline", "pandas", "sklearn"}
INSIDE_MEETS_IN_THE_NOTEBOOK |= {"traitlets", "inside", "google", "tensorflow_datasets", "PIL"}


def modules(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)


@cache
def import_nodes(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """Import statements of a module, read once for all tests."""
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    return tuple(node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom))


def imports(path: Path) -> Iterator[str]:
    """Absolute names a module imports, relative ones resolved."""
    package = (PACKAGE.name, *path.relative_to(PACKAGE).parent.parts)
    for node in import_nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            yield ".".join(part for part in (base, node.module) if part)


def imported_names(path: Path) -> Iterator[tuple[str, str]]:
    """Modules and the names imported from them, relative ones resolved."""
    package = (PACKAGE.name, *path.relative_to(PACKAGE).parent.parts)
    for node in import_nodes(path):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join((*base, *filter(None, [node.module])))
            yield from ((module, alias.name) for alias in node.names)


def room_of(name: str) -> str | None:
    parts = name.split(".")
    return parts[1] if parts[0] == PACKAGE.name and len(parts) > 1 else None


def test_each_package_has_its_rule() -> None:
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert packages == {*ALLOWED, *CONNECTING}
    deeper = {".".join(path.parent.relative_to(PACKAGE).parts) for path in PACKAGE.glob("*/**/__init__.py")}
    assert deeper - packages == SUB_PACKAGES


@pytest.mark.parametrize("package", ALLOWED)
def test_a_package_imports_only_what_it_may(package: str) -> None:
    assert (PACKAGE / package / "__init__.py").is_file()
    strangers = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in modules(PACKAGE / package)
        for name in imports(path)
        if room_of(name) not in {None, package, *ALLOWED[package]} and not name.startswith(TYPES_OF_THE_RECORD)
    }
    assert strangers == set()


def test_no_modules_import_each_other() -> None:
    names = {
        ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
        for path in modules(PACKAGE)
    }
    graph = {
        name: {
            imported
            for module, part in imported_names(path)
            if (imported := f"{module}.{part}" if f"{module}.{part}" in names else module) in names and imported != name
        }
        for name, path in names.items()
    }
    assert "grader.pipeline.submission" in graph["grader.pipeline.classroom"]
    # A cycle is an error here.
    assert set(TopologicalSorter(graph).static_order()) == set(names)


def test_nothing_imports_the_command_line() -> None:
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules(PACKAGE)
        for name in imports(path)
        if room_of(name) == "cli" and path.parent.name != "cli"
    }
    assert importers <= {"__main__.py"}


def test_the_command_line_imports_no_private_names() -> None:
    assert (PACKAGE / "cli" / "__init__.py").is_file()
    private = {
        (path.name, module, name)
        for path in modules(PACKAGE / "cli")
        for module, name in imported_names(path)
        if any(part.startswith("_") and not part.startswith("__") for part in (*module.split("."), name))
    }
    assert private == set()


@pytest.mark.parametrize(("package", "base"), OWN_BASE.items())
def test_the_base_of_a_package_imports_nothing_of_the_rest(package: str, base: str) -> None:
    assert (PACKAGE / package / base / "__init__.py").is_file()
    own = f"{PACKAGE.name}.{package}"
    strangers = {
        (path.name, name)
        for path in modules(PACKAGE / package / base)
        for name in imports(path)
        if name.startswith(own) and not name.startswith(f"{own}.{base}")
    }
    assert strangers == set()


@pytest.mark.parametrize("part", INSIDE)
def test_a_part_of_the_code_inside_the_sandbox_imports_only_the_parts_below_it(part: str) -> None:
    assert (PACKAGE / "inside" / part / "__init__.py").is_file()
    own = f"{PACKAGE.name}.inside"
    strangers = set()
    for path in modules(PACKAGE / "inside" / part):
        for module, name in imported_names(path):
            imported = f"{module}.{name}".removeprefix(f"{own}.")
            if module.startswith(own) and imported.split(".")[0] not in {part, *INSIDE[part]}:
                strangers.add((path.name, imported))
    assert strangers == set()


def test_only_the_code_inside_the_sandbox_imports_tensorflow() -> None:
    outside = [path for path in modules(PACKAGE) if "inside" not in path.parts]
    assert outside
    guilty = {
        (path.relative_to(PACKAGE).as_posix(), name)
        for path in outside
        for name in imports(path)
        if name.split(".")[0] in {"tensorflow", "keras", "tf_keras", "pickle"}
    }
    # The one reader of CIFAR-10's own format uses an unpickler that knows only arrays and plain values.
    assert {name for _, name in guilty} <= {"pickle"}
    assert {path for path, _ in guilty} <= {path for path, _ in guilty if path.startswith("datasets/")}


def test_nothing_needs_ray_but_the_package_that_is_called_after_it() -> None:
    importers = {path.parent for path in modules(PACKAGE) for name in imports(path) if name.split(".")[0] == "ray"}
    assert importers == {PACKAGE / "pipeline" / "ray"}
    names = [
        ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in modules(PACKAGE)
        if path.parent.name != "ray" and path.name != "__main__.py" and "inside" not in path.parts
    ]
    code = f"import importlib, sys\nfor name in {names}: importlib.import_module(name)\nassert 'ray' not in sys.modules"
    assert "grader.pipeline.submission" in names
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_only_the_desk_and_the_service_need_the_packages_of_the_web_and_their_commands_only_when_they_run() -> None:
    web = {"starlette", "uvicorn", "h11", "python_multipart"}
    importers = {path.parent for path in modules(PACKAGE) for name in imports(path) if name.split(".")[0] in web}
    assert importers == {PACKAGE / "desk", PACKAGE / "service", PACKAGE / "web", PACKAGE / "cli"}
    code = f"import sys, grader.cli.app, grader.cli.desk, grader.cli.serve\nassert not {web} & set(sys.modules)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_nothing_needs_pytest_but_its_plugin_whose_first_module_needs_nothing_else() -> None:
    importers = {path.parent for path in modules(PACKAGE) for name in imports(path) if name in {"pytest", "xdist"}}
    assert importers == {PACKAGE / "pytest_plugin"}
    plugin = PACKAGE / "pytest_plugin" / "plugin.py"
    at_start = [
        node
        for node in ast.parse(plugin.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert {ast.unparse(node) for node in at_start} == {"import argparse", "import pytest"}


def test_only_the_format_parquet_needs_pyarrow_and_only_when_it_writes() -> None:
    importers = {path for path in modules(PACKAGE) for name in imports(path) if name.split(".")[0] == "pyarrow"}
    assert importers == {PACKAGE / "delivery" / "formats" / "parquet.py"}
    code = (
        "import sys, grader.pipeline.exporting\n"
        "assert 'grader.delivery.formats.parquet' not in sys.modules\n"
        "from grader.delivery.format_registry import all_formats\n"
        "assert 'parquet' in all_formats() and 'pyarrow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_the_code_inside_the_sandbox_needs_nothing_of_the_grader() -> None:
    allowed = set(sys.stdlib_module_names) | INSIDE_MAY_IMPORT | INSIDE_MEETS_IN_THE_NOTEBOOK
    guilty = set()
    for path in modules(PACKAGE / "inside"):
        for name in imports(path):
            if name.startswith("grader.inside"):
                continue
            if name.split(".")[0] not in allowed:
                guilty.add((path.name, name))
    assert guilty == set()


def test_every_module_says_what_it_offers() -> None:
    silent = {
        path.relative_to(PACKAGE).as_posix()
        for path in modules(PACKAGE)
        if path.name not in {"__init__.py", "__main__.py"}
        and not any(
            isinstance(node, ast.Assign) and any(getattr(t, "id", "") == "__all__" for t in node.targets)
            for node in ast.parse(path.read_text(encoding="utf-8")).body
        )
    }
    assert silent == set()
