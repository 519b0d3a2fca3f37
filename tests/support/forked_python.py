"""Runs programs that need TensorFlow in forks of a process that has imported it, which takes five seconds for each.

As a warm kernel of the grader, a fork finds TensorFlow and the recorder's modules imported, and nothing of them used.
`forked_python.py DIALECT ADDRESS OWNER` is the process to fork from.
"""

import os
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType

from tests.support.fork_server import run_forked, serve
from tests.support.inside_alone import inside_alone

__all__ = ["forked_python"]

ROOT = Path(__file__).parents[2]
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


def forked_python(
    dialect: str, words: Sequence[str | Path], env: Mapping[str, str], cwd: Path, timeout: float = 580
) -> "subprocess.CompletedProcess[str]":
    """Run Python with TensorFlow as if it was started anew.

    Args:
        dialect: `keras3` or `keras2`.
        words: Arguments of `python`: `-c CODE`, `-m MODULE` or a file, then the program's own.
        env: The whole environment.
        cwd: The folder to run in.
        timeout: Seconds until it is killed.
    """
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    paths = {"PYTHONPATH": os.pathsep.join(map(str, (inside_alone(), ROOT)))}
    return run_forked(
        dialect,
        [sys.executable, __file__, dialect],
        [*map(str, words)],
        env=env,
        cwd=cwd,
        timeout=timeout,
        server_env=kept | paths | _QUIET,
    )


def _serve(dialect: str, address: str, owner: str) -> None:
    from inside.warm import preload  # type: ignore[import-not-found]  # noqa: PLC0415 — found by the environment

    given = frozenset(os.environ)
    failed = preload(dialect)
    assert failed == {}, failed
    words = serve(address, owner, lambda: {name: value for name, value in os.environ.items() if name not in given})
    if words is not None:
        _run(*words)


def _run(kind: str, *words: str) -> None:
    """Run a program like a new interpreter."""
    sys.path[:] = [path for path in sys.path if Path(path) not in {ROOT, Path(__file__).parent}]
    for name in [name for name in sys.modules if name.partition(".")[0] in {"tests", "grader"}]:
        del sys.modules[name]
    backend = os.environ.get("MPLBACKEND")
    if backend:
        sys.modules["matplotlib"].use(backend)  # it was read at the import
    if kind == "-m":
        module, *rest = words
        sys.argv[:] = [module, *rest]
        sys.path.insert(0, str(Path.cwd()))
        sys.modules.pop(module, None)
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    elif kind == "-c":
        code, *rest = words
        sys.argv[:] = ["-c", *rest]
        sys.path.insert(0, "")
        own = sys.modules["__main__"] = ModuleType("__main__")
        exec(compile(code, "<string>", "exec"), own.__dict__)  # noqa: S102 — the test's own program
    else:
        sys.argv[:] = [kind, *words]
        sys.path.insert(0, str(Path(kind).parent))
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    _serve(*sys.argv[1:])
