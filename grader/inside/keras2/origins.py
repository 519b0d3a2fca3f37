"""Determine which Keras a notebook's names come from: the package `keras`, or `tf.keras`.

The grader has one package for both, but a few calls had different meanings in the two.
"""

import ast
from typing import Literal

__all__ = ["Origins"]

Root = Literal["keras", "tensorflow"]


class Origins(ast.NodeTransformer):
    """Collect the imports of each cell before it runs; the code is not changed."""

    def __init__(self) -> None:
        """Start without imports."""
        self._names: dict[str, Root] = {}
        self._roots: set[Root] = set()

    def visit(self, node: ast.AST) -> ast.AST:
        """Collect the imports of a cell.

        Args:
            node: The cell's module.

        Returns:
            The same node.
        """
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import):
                self._imported(inner)
            elif isinstance(inner, ast.ImportFrom) and inner.module and not inner.level:
                self._imported_from(inner, inner.module)
            elif isinstance(inner, ast.Attribute) and inner.attr == "keras" and isinstance(inner.value, ast.Name):
                self._roots.add("tensorflow")
        return node

    def _imported(self, node: ast.Import) -> None:
        for alias in node.names:
            root = _root(alias.name)
            if root:
                self._note(alias.asname or alias.name.partition(".")[0], root)

    def _imported_from(self, node: ast.ImportFrom, module: str) -> None:
        for alias in node.names:
            root = _root(f"{module}.{alias.name}")
            if root:
                self._note(alias.asname or alias.name, root)

    def _note(self, name: str, root: Root) -> None:
        self._names[name] = root
        self._roots.add(root)

    def standalone(self, *names: str) -> bool:
        """Return whether a class comes from the package `keras`.

        Args:
            *names: The class's names, such as `Conv2D` and `Convolution2D`.

        Returns:
            True if the class is imported from `keras`. Without an import of the class: whether the notebook only uses
            `keras` and not `tf.keras`, or whether the name `keras` is the package.
        """
        class_roots = {self._names[name] for name in names if name in self._names}
        if class_roots:
            return class_roots == {"keras"}
        return self._roots == {"keras"} or self._names.get("keras") == "keras"


def _root(path: str) -> Root | None:
    parts = path.split(".")
    if parts[0] == "keras":
        return "keras"
    return "tensorflow" if parts[0] == "tensorflow" and "keras" in parts else None
