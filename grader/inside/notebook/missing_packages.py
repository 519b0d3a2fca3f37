"""Skip imports of packages that are not installed; the notebook fails only where it uses one.

Students import more than they use. Without this, a cell that begins with `import cv2` would stop there, and all imports
below it would be missing.
"""

import ast
import builtins
import importlib.util
import sys
from collections.abc import Iterator
from typing import Any, NoReturn

from ..record.notes import Notes

__all__ = ["AbsentImports", "install_shell"]

_HELPER = "_grader_import_or_stand_in"
_PUBLISHED = frozenset(
    {
        *("cv2", "imageio", "imgaug", "imutils", "albumentations", "skimage", "pydot", "visualkeras", "gradio"),
        *("torch", "torchvision", "torchaudio", "torchinfo", "torchsummary", "pytorch_lightning", "fastai", "timm"),
        *("jax", "transformers", "datasets", "huggingface_hub", "nltk", "spacy", "xgboost", "lightgbm", "onnx"),
        *("keras_cv", "keras_hub", "keras_nlp", "keras_tuner", "kerastuner", "efficientnet", "scikeras", "optuna"),
        *("tensorflow_addons", "tensorflow_datasets", "tensorflow_hub", "tensorflow_probability", "mlflow", "wandb"),
        *("kaggle", "kagglehub", "kaggle_datasets", "requests", "streamlit"),
    }
)
"""Published packages that students import. Any other module that is missing may be a student's own file."""


def install_shell(notes: Notes, shell: Any) -> None:
    """Skip imports of missing packages in cells.

    Args:
        notes: Receives a note for each skipped import.
        shell: The IPython shell.
    """

    def run_import(statement: str, package: str, names: tuple[tuple[str, str], ...]) -> None:
        __tracebackhide__ = True  # IPython omits this frame from the student's traceback
        try:
            # The package may exist by now, since a line above may have added a folder to `sys.path`.
            exec(compile(statement, "<import>", "exec"), shell.user_ns)  # noqa: S102 - the student's own line
        except ModuleNotFoundError as error:
            if error.name != package:
                raise
            notes.tell(
                f"import.{package}",
                f"`{package}` is not installed here, so its import was skipped. Code that uses it will fail."
                + ("" if package in _PUBLISHED else f" If it is your own file, submit `{package}.py` as well."),
                show=True,
            )
            shell.user_ns.update({bound: _Absent(package, path) for bound, path in names})

    setattr(builtins, _HELPER, run_import)
    shell.ast_transformers.append(AbsentImports())


class AbsentImports(ast.NodeTransformer):
    """Rewrite a cell's imports of missing packages to calls of a helper function.

    Only top-level imports are rewritten: a student who imports inside `try` handles the error.
    """

    def visit(self, node: ast.AST) -> ast.AST:
        """Rewrite a cell.

        Args:
            node: The cell's module.
        """
        if isinstance(node, ast.Module):
            node.body = [new for statement in node.body for new in _rewritten(statement)]
        return node


def _rewritten(statement: ast.stmt) -> Iterator[ast.stmt]:
    if isinstance(statement, ast.Import):
        for alias in statement.names:
            single = ast.copy_location(ast.Import([alias]), statement)
            package = alias.name.partition(".")[0]
            path = alias.name if alias.asname else package
            yield single if _is_here(package) else _handed_over(single, package, [(alias.asname or package, path)])
    elif isinstance(statement, ast.ImportFrom) and statement.module and not statement.level:
        package = statement.module.partition(".")[0]
        names = [(alias.asname or alias.name, f"{statement.module}.{alias.name}") for alias in statement.names]
        bound = [(name, path) for name, path in names if name != "*"]  # nobody knows which names `*` would import
        yield statement if _is_here(package) else _handed_over(statement, package, bound)
    else:
        yield statement


def _is_here(package: str) -> bool:
    if package in sys.modules:
        return True
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError, AttributeError):
        return True


def _handed_over(statement: ast.stmt, package: str, names: list[tuple[str, str]]) -> ast.stmt:
    arguments = [ast.Constant(value) for value in (ast.unparse(statement), package)]
    pairs: list[ast.expr] = [ast.Tuple([ast.Constant(part) for part in pair], ast.Load()) for pair in names]
    call = ast.Call(ast.Name(_HELPER, ast.Load()), [*arguments, ast.Tuple(pairs, ast.Load())], [])
    return ast.fix_missing_locations(ast.copy_location(ast.Expr(call), statement))


class _Absent:
    """Placeholder for a module or name of a missing package; every use raises the error of the import."""

    def __init__(self, package: str, path: str) -> None:
        self.__dict__.update({"_package": package, "_path": path})

    def __repr__(self) -> str:
        return f"<{self.__dict__['_path']}: not installed here>"

    def __getattr__(self, name: str) -> Any:
        __tracebackhide__ = True
        if name.startswith("_"):
            # IPython and other tools look up such names when they only inspect a variable.
            raise AttributeError(name)
        self._fail()

    def _fail(self, *_: Any, **__: Any) -> NoReturn:
        __tracebackhide__ = True
        package = self.__dict__["_package"]
        msg = f"No module named {package!r}"
        raise ModuleNotFoundError(msg, name=package)

    __call__ = __getitem__ = __iter__ = __len__ = __enter__ = __mro_entries__ = _fail
