"""A recorder kernel some of whose parts raise: `sabotaged_kernel.py PARTS.json -f CONNECTION_FILE`.

PARTS.json maps the name of a model to a part of the recorder, such as `inside.watch.fits:FitWatch._begin`; that part
raises whenever it is given this model.
"""

import functools
import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def main() -> None:
    """Sabotage the parts, then start the kernel."""
    parts: dict[str, str] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for model, part in parts.items():
        module, _, path = part.partition(":")
        owner: Any = importlib.import_module(module)
        *owners, name = path.split(".")
        for each in owners:
            owner = getattr(owner, each)
        setattr(owner, name, _sabotaged(getattr(owner, name), model))
    from inside import kernel  # type: ignore[import-not-found]  # noqa: PLC0415 - found by the environment

    kernel.main(sys.argv[2:])


def _sabotaged(function: Callable[..., Any], model: str) -> Callable[..., Any]:
    @functools.wraps(function)
    def sabotaged(*args: Any, **kwargs: Any) -> Any:
        if any(getattr(getattr(value, "model", value), "name", "") == model for value in args):
            msg = f"sabotaged for {model}"
            raise RuntimeError(msg)
        return function(*args, **kwargs)

    return sabotaged


if __name__ == "__main__":
    main()
