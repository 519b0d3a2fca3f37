"""Run the Python code of a documentation page, and write its output into the blocks that follow.

    python tools/make_outputs.py docs/class-as-data.md FOLDER

The blocks run one after another in one namespace, with FOLDER as the current folder. The output of a `python` block
replaces the `text` block directly after it; a block without one must print nothing.
"""

import argparse
import contextlib
import io
import re
from pathlib import Path
from typing import Any

__all__ = ["main", "with_outputs"]

_BLOCK = re.compile(r"```python\n(?P<code>.*?)```\n(?:\n```text\n(?P<output>.*?)```\n)?", re.DOTALL)


def with_outputs(page: str, folder: Path) -> str:
    """Return a page with the output of its code.

    Args:
        page: Markdown.
        folder: The current folder of the code.

    Raises:
        ValueError: A block prints something and no `text` block follows it.
    """
    names: dict[str, Any] = {}

    def run(block: re.Match[str]) -> str:
        output = io.StringIO()
        with contextlib.chdir(folder), contextlib.redirect_stdout(output):
            exec(compile(block["code"], "<page>", "exec"), names)  # noqa: S102 - the page's own examples
        printed = "".join(f"{line.rstrip()}\n" for line in output.getvalue().rstrip().splitlines())
        if block["output"] is not None:
            return f"```python\n{block['code']}```\n\n```text\n{printed}```\n"
        if printed:
            msg = f"no `text` block follows the code that prints {printed[:60]!r}"
            raise ValueError(msg)
        return block[0]

    return _BLOCK.sub(run, page)


def main(arguments: list[str] | None = None) -> None:
    """Write the outputs."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("page", type=Path)
    parser.add_argument("folder", type=Path)
    chosen = parser.parse_args(arguments)
    chosen.page.write_text(with_outputs(chosen.page.read_text(encoding="utf-8"), chosen.folder), encoding="utf-8")


if __name__ == "__main__":
    main()
