"""`grader data`."""

import json
from pathlib import Path

from tests.support.command import (
    grader,
    small_digits,
)


def test_data_sets_are_listed_found_and_imported(tmp_path: Path) -> None:
    env = {"GRADER_DATA": str(tmp_path / "data")}
    listed = {one["name"]: one["source"] for one in json.loads(grader("data", "list", "--json", env=env).out)}
    assert listed["mnist"] == "package"
    assert "digits" not in listed
    done = grader("data", "import", "digits", small_digits(tmp_path / "d.npz"), env=env)
    assert (done.code, Path(done.out.strip()).is_file()) == (0, True)
    assert "digits" in grader("data", "list", env=env).out
    assert Path(grader("data", "path", "digits", env=env).out.strip()).exists()
    for words, code, said in (
        (("path", "nosuch"), 3, "unknown data set `nosuch`"),
        (("fetch", "digits"), 3, "`grader data import digits FILE`"),
        (("import", "Bad Name", tmp_path / "d.npz"), 2, "not a valid name"),
        (("import", "other", Path(__file__)), 3, "not a format that can be imported"),
        (("import", "other", tmp_path / "gone.npz"), 2, "does not exist"),
    ):
        done = grader("data", *words, env=env)
        assert (done.code, said in done.err) == (code, True), done
