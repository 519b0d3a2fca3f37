"""Pack graded sample submissions for the tests of the documentation, which execute nothing.

    python tools/make_sample_results.py results/mnist-cnn results/cifar-deep …

Each folder is the `--out` folder of a `grader grade examples/submissions/RUBRIC --rubric RUBRIC`. The file
`tests/delivery/sample_results.json.xz` gets their grades and their evidence without the large parts that no table of
data contains: sources and outputs of cells, predictions, figures and arrays.
"""

import argparse
import json
import lzma
from pathlib import Path
from typing import Any

from grader.store.results import ResultsFolder

__all__ = ["TARGET", "main", "packed"]

TARGET = Path(__file__).resolve().parent.parent / "tests" / "delivery" / "sample_results.json.xz"


def packed(out: ResultsFolder) -> dict[str, Any]:
    """Return the grade and the small evidence of each submission of a results folder."""
    return {name: {"grade": out.grade_data(name), "evidence": _small_evidence(out, name)} for name in out.submissions()}


def _small_evidence(out: ResultsFolder, name: str) -> Any:
    evidence = out.read_evidence(name)
    if evidence is None:
        return None
    data = evidence.model_dump(mode="json", by_alias=True)
    for cell in data["cells"]:
        cell |= {"source": "", "output": ""}
    for accuracy in data["accuracies"]:
        accuracy |= {"predicted": [], "wrong": None}
    return data | {"figures": [], "arrays": [], "labels": []}


def main(arguments: list[str] | None = None) -> None:
    """Write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("results", nargs="+", type=Path)
    folders = parser.parse_args(arguments).results
    classes = {folder.name: packed(ResultsFolder(folder)) for folder in folders}
    text = json.dumps(classes, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    TARGET.write_bytes(lzma.compress(text.encode(), preset=9))
    print(f"{TARGET.name}: {sum(map(len, classes.values()))} submissions, {TARGET.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
