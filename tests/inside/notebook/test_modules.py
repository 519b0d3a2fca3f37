"""Which modules of a student are found, and before which others."""

import subprocess
import sys
from pathlib import Path

from tests.support.inside_alone import inside_alone
from tests.support.waiting import DEADLOCK_SECONDS

CODE = """
import sys
sys.path.insert(0, {inside!r})
from inside.notebook import modules
found = {{"/content/drive/MyDrive/hw1/src": {folder!r} + "/src"}}
modules.install({folder!r}, found.get)
sys.path.append("/content/drive/MyDrive/hw1/src")
assert sys.path[0] == {folder!r}
{code}
"""


def printed(folder: Path, code: str) -> str:
    """Run code in a new interpreter with the finders for a folder, and return its output."""
    whole = CODE.format(inside=str(inside_alone()), folder=str(folder), code=code)
    ran = subprocess.run(
        [sys.executable, "-c", whole], capture_output=True, text=True, timeout=DEADLOCK_SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def test_the_students_modules_come_first(tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("x = 'student'")
    (tmp_path / "psutil.py").write_text("x = 'student'")
    assert printed(tmp_path, "import helper, psutil; print(helper.x, psutil.x)") == "student student"


def test_the_standard_library_and_the_recorders_packages_are_not_hidden(tmp_path: Path) -> None:
    for name in ("colorsys", "numpy", "tensorflow"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('of the student')")
    code = "import colorsys, importlib.util, numpy; print(colorsys.ONE_THIRD > 0, len(numpy.ones(3)))\n"
    code += "print(importlib.util.find_spec('tensorflow').submodule_search_locations is not None)"
    assert printed(tmp_path, code) == "True 3\nTrue"


def test_a_module_is_found_in_the_submitted_folder_of_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "src" / "net").mkdir(parents=True)
    (tmp_path / "src" / "net" / "__init__.py").write_text("")
    (tmp_path / "src" / "net" / "layers.py").write_text("x = 'layers'")
    code = "from net import layers; print(layers.x)\n"
    code += "try:\n    import nothing\nexcept ModuleNotFoundError: print('missing')"
    assert printed(tmp_path, code) == "layers\nmissing"
