"""The list of samples on the page `docs/hostile-corpus.md`."""

from collections.abc import Iterator
from pathlib import Path

from tests.hostile.commands import COMMANDS
from tests.hostile.corpus import all_samples

__all__ = ["PAGE", "with_table"]

PAGE = Path(__file__).parents[2] / "docs" / "hostile-corpus.md"
_START = "<!-- Written by `python -m tests.hostile --table` from the samples. -->"


def with_table(page: str) -> str:
    """Write the list of samples at the end of the page.

    Args:
        page: The present text of the page.
    """
    head, start, _ = page.partition(_START)
    return "\n".join([head.rstrip(), "", start or _START, "", *_lines()]) + "\n"


def _lines() -> Iterator[str]:
    samples = [written.sample for written in all_samples().values()]
    for topic in sorted({sample.topic for sample in samples}):
        yield from (
            f"### {topic.replace('-', ' ').capitalize()}",
            "",
            "| sample | it tries to | outcome |",
            "|---|---|---|",
        )
        for sample in samples:
            if sample.topic == topic:
                outcome = (
                    sample.must.outcome if isinstance(sample.must.outcome, str) else " or ".join(sample.must.outcome)
                )
                source = f" ({sample.source})" if sample.source else ""
                gap = f"; open: {_cell(sample.open)}" if sample.open else ""
                yield f"| `{sample.name}` | {_cell(sample.tries)}{source} | {outcome}{gap} |"
        yield ""
    yield from ("### Read by commands", "", "| sample | it tries to |", "|---|---|")
    yield from (f"| `{sample.name}` | {_cell(sample.tries)} |" for sample in COMMANDS.values())


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").rstrip(".")
