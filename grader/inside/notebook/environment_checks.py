"""Skip checks of the student's own machine: assertions about a GPU, about Colab, or about versions of packages.

Such a check says nothing about the work, but it would end its cell. The tests are recognized in the code, also where
they use a variable that was set from such a question before. The cell's other statements run unchanged.
"""

import ast
import builtins
from collections.abc import Callable
from typing import Any, TypeVar

from ..record.notes import Notes

__all__ = ["EnvironmentChecks", "install_shell"]

_ASSERTED = "_grader_environment_check"
_SKIPPED = "_grader_environment_skip"
_QUESTIONS = frozenset(
    {
        "list_physical_devices",
        "list_logical_devices",
        "list_local_devices",
        "get_visible_devices",
        "gpu_device_name",
        "is_gpu_available",
        "is_built_with_cuda",
        "is_built_with_gpu_support",
        "get_available_gpus",
        "_get_available_gpus",
        "getGPUs",
        "getAvailable",
        "TPUClusterResolver",
    }
)
"""Functions that ask for devices."""
_VERSIONS = frozenset({"__version__", "version_info", "VERSION", "python_version"})
_TEXTS = ("COLAB_GPU", "COLAB_TPU_ADDR", "COLAB_RELEASE_TAG", "google.colab", "nvidia-smi")
"""Words in strings that ask for Colab or a GPU."""
_SETTINGS = frozenset(
    {
        "set_memory_growth",
        "set_visible_devices",
        "set_virtual_device_configuration",
        "set_logical_device_configuration",
        "get_device_details",
        "get_memory_info",
    }
)
"""Functions that set up a device."""

T = TypeVar("T", bound=ast.stmt)


def install_shell(notes: Notes, shell: Any) -> None:
    """Skip environment checks in cells.

    Args:
        notes: Receives a note for each check that would have failed.
        shell: The IPython shell.
    """

    def skip(code: str) -> None:
        notes.tell(
            "environment.check",
            f"`{code}` checks the machine, which is another one during grading. It was skipped.",
            show=True,
        )

    def check(holds: Callable[[], Any], code: str) -> None:
        try:
            if holds():
                return
        except Exception:
            # The names may be missing, since such checks often come before the imports.
            pass
        skip(code)

    setattr(builtins, _ASSERTED, check)
    setattr(builtins, _SKIPPED, skip)
    shell.ast_transformers.append(EnvironmentChecks())


class EnvironmentChecks(ast.NodeTransformer):
    """Rewrites environment checks to calls of helper functions; nodes keep their positions."""

    def __init__(self) -> None:
        """Start without a known variable."""
        self._names: set[str] = set()
        """Variables that were set from a question about the machine."""

    def visit(self, node: ast.AST) -> Any:
        """Rewrite a cell, or visit a part of it.

        Args:
            node: The cell's module, or any node.
        """
        if isinstance(node, ast.Module):
            self._learn(node)
        return super().visit(node)

    def _learn(self, module: ast.Module) -> None:
        """Note the variables that this cell sets; a variable that gets another value is forgotten."""
        for node in ast.walk(module):
            if not isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) or node.value is None:
                continue
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = {name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)}
            # A choice such as `128 if gpus else 32` is no statement about the machine.
            if self._asks(node.value) and not isinstance(node.value, ast.IfExp):
                self._names |= names
            else:
                self._names -= names

    def _asks(self, node: ast.AST) -> bool:
        """Whether an expression asks for the machine's devices or versions."""
        return any(map(self._is_question, ast.walk(node)))

    def _is_question(self, node: ast.AST) -> bool:
        match node:
            case ast.Name(id=name):
                return name in self._names or name in _QUESTIONS
            case ast.Attribute(attr=name):
                return name in _QUESTIONS or name in _VERSIONS or _is_cuda(node)
            case ast.Constant(value=str(text)):
                return any(word in text for word in _TEXTS)
        return False

    def visit_Assert(self, node: ast.Assert) -> Any:
        """Rewrite `assert tf.config.list_physical_devices('GPU')`."""
        if not self._asks(node.test):
            return node
        if any(isinstance(part, ast.NamedExpr | ast.Await) for part in ast.walk(node.test)):
            skip = _call(_SKIPPED, [_text_of(node)], node)
            return _placed(ast.If(ast.UnaryOp(ast.Not(), node.test), [skip], []), node)
        arguments = ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
        return _call(_ASSERTED, [ast.Lambda(arguments, node.test), _text_of(node)], node)

    def visit_If(self, node: ast.If) -> Any:
        """Rewrite the error in `if not gpus: raise SystemError('GPU device not found')`."""
        self.generic_visit(node)
        if self._asks(node.test):
            node.body = [_without_end(statement) for statement in node.body]
            node.orelse = [_without_end(statement) for statement in node.orelse]
        return node

    def visit_Try(self, node: ast.Try) -> Any:
        """Rewrite the error in `except ValueError: raise BaseException('not connected to a TPU')`."""
        self.generic_visit(node)
        if all(map(self._asks, node.body)):
            for handler in node.handlers:
                handler.body = [_without_end(statement) for statement in handler.body]
        return node

    def visit_Expr(self, node: ast.Expr) -> Any:
        """Rewrite `gpus or exit()`; let `tf.config.experimental.set_memory_growth(gpus[0], True)` fail."""
        value = node.value
        if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or) and self._asks(value.values[0]):
            return self.visit_Assert(_placed(ast.Assert(value.values[0], None), node))
        return self._attempt(node, [])

    def visit_Assign(self, node: ast.Assign) -> Any:
        """Let `config = tf.config.experimental.set_memory_growth(gpus[0], True)` fail without an effect."""
        return self._attempt(node, node.targets)

    def _attempt(self, node: ast.Expr | ast.Assign, targets: list[ast.expr]) -> Any:
        if not all(isinstance(target, ast.Name) for target in targets):
            return node
        errors = self._errors_without_device(node.value)
        if not errors:
            return node
        skip: list[ast.stmt] = [_call(_SKIPPED, [_text_of(node)], node)]
        if targets:
            skip.append(ast.Assign(targets, ast.Constant(None)))
        caught: list[ast.expr] = [ast.Name(name, ast.Load()) for name in errors]
        handler = ast.ExceptHandler(ast.Tuple(caught, ast.Load()), None, skip)
        return _placed(ast.Try([node], [handler], [], []), node)

    def _errors_without_device(self, value: ast.expr) -> tuple[str, ...]:
        """Return the errors of an expression on a machine without a GPU; none if it does not use one."""
        nodes = list(ast.walk(value))
        if any(isinstance(node, ast.Attribute) and node.attr in _SETTINGS for node in nodes):
            return ("Exception",)
        if any(isinstance(node, ast.Subscript) and _is_colab_variable(node) for node in nodes):
            return ("KeyError",)
        if any(isinstance(node, ast.Subscript) and self._is_device(node) for node in nodes):
            return ("IndexError", "ValueError", "RuntimeError")
        return ()

    def _is_device(self, node: ast.Subscript) -> bool:
        """Whether an expression takes a device from the list of devices."""
        number = isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int)
        parts = ast.walk(node.value)
        is_version = any(isinstance(part, ast.Attribute) and part.attr in _VERSIONS for part in parts)
        return number and self._asks(node.value) and not is_version


def _is_colab_variable(node: ast.Subscript) -> bool:
    """Whether an expression is `os.environ['COLAB_TPU_ADDR']` or similar."""
    return isinstance(node.slice, ast.Constant) and node.slice.value in _TEXTS


def _is_cuda(node: ast.Attribute) -> bool:
    """Whether an attribute belongs to `torch.cuda` or a similar module."""
    return node.attr in {"is_available", "device_count"} and "cuda" in ast.unparse(node.value)


def _without_end(statement: ast.stmt) -> ast.stmt:
    """Replace a statement that ends the cell: `raise`, `assert False`, `sys.exit()`."""
    match statement:
        case ast.Raise() | ast.Assert(test=ast.Constant(value=False | 0)):
            return _call(_SKIPPED, [_text_of(statement)], statement)
        case ast.Expr(value=ast.Call(func=ast.Name(id="exit" | "quit") | ast.Attribute(attr="exit" | "_exit"))):
            return _call(_SKIPPED, [_text_of(statement)], statement)
    return statement


def _text_of(statement: ast.stmt) -> ast.expr:
    text = ast.unparse(statement)
    return ast.Constant(text if len(text) <= 100 else text[:99] + "…")  # noqa: PLR2004 - a readable length


def _call(function: str, arguments: list[ast.expr], place: ast.stmt) -> ast.Expr:
    return _placed(ast.Expr(ast.Call(ast.Name(function, ast.Load()), arguments, [])), place)


def _placed(node: T, place: ast.stmt) -> T:
    return ast.fix_missing_locations(ast.copy_location(node, place))
