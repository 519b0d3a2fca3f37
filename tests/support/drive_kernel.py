"""Runs the cells of a script in a recorder kernel, as the grader's host would.

`drive_kernel.py SCRIPT SEEN.json [WORDS…]`; the words after `python` start the kernel, by default `-m inside.kernel`.
"""

import json
import re
import sys
from pathlib import Path

from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import KernelManager


def main() -> None:
    """Drive the kernel and write down which cells raised what."""
    script, seen = Path(sys.argv[1]), Path(sys.argv[2])
    manager = KernelManager()
    argv = [sys.executable, *(sys.argv[3:] or ["-m", "inside.kernel"]), "-f", "{connection_file}"]
    manager._kernel_spec = KernelSpec(argv=argv, display_name="recorder", language="python")
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=60)
    cells: dict[str, int] = {}
    errors: dict[str, str] = {}
    for number, part in enumerate(re.split(r"^# %% ", script.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:], 1):
        title, _, source = part.partition("\n")
        cells[title] = number
        # In the script, magics are comments.
        reply = client.execute_interactive(source.replace("#!", ""), timeout=200, output_hook=_output)
        if reply["content"]["status"] == "error":
            errors[title] = f"{reply['content']['ename']}: {reply['content']['evalue']}"
    client.execute_interactive("%grader_finish", store_history=False, timeout=100, output_hook=_output)
    client.stop_channels()
    manager.shutdown_kernel()
    seen.write_text(json.dumps({"cells": cells, "errors": errors}), encoding="utf-8")


def _output(message: dict[str, dict[str, str]]) -> None:
    text = message["content"].get("text") or "\n".join(message["content"].get("traceback", ""))
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
