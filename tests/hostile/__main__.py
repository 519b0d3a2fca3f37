"""`python -m tests.hostile`: grade the corpus on this machine, and say what is not as it must be."""

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import get_args

from tests.hostile.commands import COMMANDS, command_faults, run_commands
from tests.hostile.corpus import Written, all_samples
from tests.hostile.course import make_course
from tests.hostile.expected import Combination
from tests.hostile.judging import class_faults, faults, outcome_of, result_of
from tests.hostile.other_user import give_to
from tests.hostile.running import as_user, graded_class
from tests.hostile.table import PAGE, with_table


def main() -> int:
    """Grade samples in one or more combinations.

    Returns:
        1 if something is not as it must be.
    """
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=main.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="samples or topics; by default the whole corpus")
    parser.add_argument("--cold", action="store_true", help="start each kernel separately")
    parser.add_argument("--user", action="store_true", help="as an ordinary user")
    parser.add_argument("--all", action="store_true", help="all four combinations")
    parser.add_argument("--jobs", type=int, default=2, help="submissions at a time")
    parser.add_argument("--table", action="store_true", help="only write the list of samples into the page of the docs")
    parser.add_argument("--keep", type=Path, help="new folder for the class and its results")
    options = parser.parse_args()
    if options.table:
        PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    asked = f"{'cold' if options.cold else 'warm'}-{'user' if options.user else 'root'}"
    return max(_run(name, options) for name in get_args(Combination) if options.all or name == asked)


def _run(combination: Combination, options: argparse.Namespace) -> int:
    """Grade the class and run the commands in one combination.

    Returns:
        1 if something is not as it must be.
    """
    samples = [
        written
        for written in all_samples().values()
        if not options.names or {written.sample.name, written.sample.topic} & set(options.names)
        if written.takes_part(combination)
    ]
    folder = Path(tempfile.mkdtemp(prefix="hostile-")) if options.keep is None else options.keep / combination
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    print(f"results: {folder}", flush=True)
    wrong = _run_class(samples, folder, combination, options.jobs) if samples else 0
    return int(wrong + _run_commands(combination, folder / "commands", options.names) > 0)


def _run_class(samples: list[Written], folder: Path, combination: Combination, jobs: int) -> int:
    """Grade the class; return how many samples are not as they must be."""
    wrong = 0
    with graded_class(samples, folder, combination, jobs=jobs) as run:
        (folder / "said.txt").write_text(run.said, encoding="utf-8", errors="surrogateescape")
        outcomes = Counter(outcome_of(result_of(run, written.sample)) for written in samples)
        whole = class_faults(run)
        for name, problems in [("class", whole), *((w.sample.name, faults(run, w.sample)) for w in samples)]:
            wrong += bool(problems)
            for problem in problems:
                print(f"{name}: {problem}")
    print(f"{combination}: {len(samples)} samples, {run.seconds:.0f} s, {dict(outcomes)}, {wrong} not as they must be")
    return wrong


def _run_commands(combination: Combination, folder: Path, names: list[str]) -> int:
    """Run the samples that commands read; return how many are not as they must be."""
    wrong, began = 0, time.monotonic()
    samples = [sample for sample in COMMANDS.values() if not names or {sample.name, "commands"} & set(names)]
    folder.mkdir()
    with make_course(folder / "course") as course, as_user(combination.partition("-")[2]) as prefix:
        give_to(folder, prefix)
        for sample in samples:
            (folder / sample.name).mkdir()
            problems = [
                *command_faults(sample, run_commands(sample, folder / sample.name, course, prefix)),
                *course.harm(),
            ]
            wrong += bool(problems)
            for problem in problems:
                print(f"{sample.name}: {problem}")
    print(f"{combination}: {len(samples)} samples read by commands, {time.monotonic() - began:.0f} s, {wrong} wrong")
    return wrong


if __name__ == "__main__":
    sys.exit(main())
