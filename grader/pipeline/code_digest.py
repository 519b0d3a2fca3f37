"""Compute digests of code that do not depend on comments, docstrings and file paths.

The digest of an execution includes the code inside the sandbox, and the digest of a grade includes the grading code. A
changed docstring or a moved file must not change these digests; a changed line of code must.
"""

import ast
import functools
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import platformdirs

from grader.checks.registry import all_checks, all_diagnostics
from grader.resources import share
from grader.schema.errors import StorageError
from grader.store.files import write_atomically

__all__ = ["digest_code", "digest_module", "grading_code", "inside_code", "source_digest"]

_PACKAGE = Path(__file__).parents[1]
_RENDERERS = ("jinja2", "markdown-it-py", "nbformat", "nh3", "pillow", "pydantic", "pygments")
"""Packages whose versions can change a report."""
_OWN_PACKAGES = ("grader", "inside")
_ALGORITHM = 1
"""Version of `digest_module`; part of the name of the cache file."""
_MAX_CACHED = 20_000


def digest_module(source: bytes) -> str:
    """Digest the code of a Python module.

    The digest excludes docstrings, comments, layout, the order of imports, and the paths of the grader's own modules.

    Args:
        source: The module's bytes.

    Returns:
        A SHA-256 in hexadecimal. Source with syntax errors is digested byte for byte.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return hashlib.sha256(source).hexdigest()
    stripped = _Stripper()
    code = ast.dump(stripped.visit(tree))
    return hashlib.sha256(json.dumps([code, sorted(stripped.imported)]).encode()).hexdigest()


class _Stripper(ast.NodeTransformer):
    """Remove docstrings and imports from a module, and collect the imported names."""

    def __init__(self) -> None:
        self.imported: list[tuple[str, str, str]] = []
        """Package (empty for the grader's own), name, and name in the module."""

    def generic_visit(self, node: ast.AST) -> ast.AST:
        """Visit a node, and add a `pass` to a block that becomes empty."""
        super().generic_visit(node)
        if isinstance(getattr(node, "body", None), list) and not node.body and not isinstance(node, ast.Module):  # type: ignore[attr-defined]  # checked
            node.body = [ast.Pass()]  # type: ignore[attr-defined]  # the same
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        """Drop a string expression, such as a docstring."""
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            return None
        return self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        """Drop `import a.b as c`; keep its names."""
        for alias in node.names:
            self.imported.append(("", _path_free(alias.name), alias.asname or ""))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        """Drop `from a import b as c`; keep its names, and its package unless it is the grader's own."""
        package = "" if node.level else _path_free(node.module or "")
        for alias in node.names:
            self.imported.append((package, alias.name, alias.asname or ""))


def _path_free(name: str) -> str:
    return "" if name.split(".", maxsplit=1)[0] in _OWN_PACKAGES else name


def digest_code(files: Iterable[Path]) -> str:
    """Digest the code of many modules, independent of their paths.

    Other files are digested byte for byte. The user's cache folder stores digests of modules, by content.

    Args:
        files: Python modules and other files; folders are skipped.
    """
    known = _read_cache()
    added: dict[str, str] = {}
    digests = []
    for path in files:
        if not path.is_file():
            continue
        content = path.read_bytes()
        name = hashlib.sha256(content).hexdigest()
        if path.suffix == ".py":
            name = known.get(name) or added.setdefault(name, digest_module(content))
        digests.append(name)
    if added:
        _write_cache({**known, **added} if len(known) + len(added) <= _MAX_CACHED else added)
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()


def _cache_path() -> Path:
    version = ".".join(str(number) for number in sys.version_info[:2])
    return platformdirs.user_cache_path("cnn-grader") / f"code-digests-{_ALGORITHM}-{version}.json"


def _read_cache() -> Mapping[str, str]:
    try:
        known = json.loads(_cache_path().read_bytes())
    except (OSError, ValueError):
        return {}
    return {key: value for key, value in known.items() if isinstance(value, str)} if isinstance(known, dict) else {}


def _write_cache(digests: Mapping[str, str]) -> None:
    # Without a cache folder the digests are computed each time.
    with suppress(StorageError):
        write_atomically(_cache_path(), json.dumps(digests).encode())


@functools.cache
def inside_code() -> str:
    """Digest the code that runs in a sandbox, as a part of the key of each execution."""
    return digest_code((_PACKAGE / "inside").rglob("*.py"))


@functools.cache
def grading_code() -> str:
    """Digest everything that affects grades and reports: code, templates, and checks of other packages."""
    return digest_code(_grading_files()) + _renderers()


@functools.cache
def source_digest() -> str:
    """Digest the grader's files byte for byte; all machines that grade a class must have the same files."""
    digest = hashlib.sha256(_renderers().encode())
    for path in sorted(path for path in _grading_files() if path.is_file()):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _grading_files() -> set[Path]:
    package = _PACKAGE
    names = {one.run.__module__ for one in all_checks().values()}
    names |= {one.run.__module__ for one in all_diagnostics().values()}
    modules = {getattr(sys.modules.get(name), "__file__", None) for name in names}
    return {*package.rglob("*.py"), *share("templates").rglob("*"), *(Path(name) for name in modules if name)}


def _renderers() -> str:
    return hashlib.sha256(repr([_version(name) for name in _RENDERERS]).encode()).hexdigest()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
