"""Which Keras a notebook's names come from: the package `keras`, or `tf.keras`.

Both are one package here, but a few calls meant different things in the two.
"""

import ast
from typing import Literal

__all__ = ["Origins"]

Root = Literal["keras", "tensorflow"]


class Origins(ast.NodeTransformer):
    """Reads each cell's imports on their way to the interpreter, and changes nothing."""

    def __init__(self) -> None:
        """Start with nothing imported."""
        self._names: dict[str, Root] = {}
        self._roots: set[Root] = set()

    def visit(self, node: ast.AST) -> ast.AST:
        """Note what a cell imports.

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
        """Whether a class is the package `keras`'s own.

        Args:
            *names: The class's names, such as `Conv2D` and `Convolution2D`.

        Returns:
            What its own import says; else whether the notebook imports `keras` and nowhere uses `tf.keras`; where it
            does both, what the name `keras` is.
        """
        own = {self._names[name] for name in names if name in self._names}
        if own:
            return own == {"keras"}
        return self._roots == {"keras"} or self._names.get("keras") == "keras"


def _root(path: str) -> Root | None:
    parts = path.split(".")
    if parts[0] == "keras":
        return "keras"
    return "tensorflow" if parts[0] == "tensorflow" and "keras" in parts else None
