"""Folders of an execution: visible and hidden ones."""

import hashlib
import importlib.metadata
import os
import platform
import socket
import sys
from pathlib import Path

import pytest

from grader.execution.sandbox.bubblewrap import Bubblewrap
from grader.execution.sandbox.course_files import place_course_files
from grader.execution.sandbox.isolation import Mount
from grader.execution.sandbox.layout import (
    copy_submission,
    digest_files,
    make_layout,
    masks,
    python_mounts,
    python_versions,
    secret_folders,
)
from grader.execution.sandbox.unprotected import NoIsolation
from grader.schema.course_file import CourseFile
from grader.schema.errors import SandboxError
from tests.support.strict_umask import strict_umask


def test_the_sandbox_has_names_of_its_own_for_the_folders(tmp_path: Path) -> None:
    layout = make_layout(tmp_path / "s", Bubblewrap())
    assert [str(layout.inner(name)) for name in ("work", "out", "code")] == [
        "/home/student/submission",
        "/record",
        "/grader",
    ]


def test_without_isolation_the_folders_have_the_names_they_have(tmp_path: Path) -> None:
    layout = make_layout(tmp_path / "s", NoIsolation())
    assert layout.inner("out") == layout.out
    assert layout.environment(Path("/usr/bin/python"), {})["HOME"] == str(layout.home)


def test_only_the_inside_package_is_within_reach_of_an_import(tmp_path: Path) -> None:
    layout = make_layout(tmp_path / "s", NoIsolation())
    assert [path.name for path in layout.code.iterdir()] == ["inside"]
    assert (layout.code / "inside" / "kernel.py").is_file()


def test_a_sandbox_sees_the_installed_code_and_not_a_copy(tmp_path: Path) -> None:
    layout = make_layout(tmp_path / "s", Bubblewrap())
    assert list((layout.code / "inside").iterdir()) == []
    (mount,) = [one for one in layout.binds(Path(sys.executable)).mounts if one.target == Path("/grader/inside")]
    assert (mount.source / "kernel.py").is_file()
    assert not mount.writable


def test_code_that_not_everybody_may_read_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = tmp_path / "inside"
    code.mkdir()
    (code / "kernel.py").touch(0o600)
    monkeypatch.setattr("grader.execution.sandbox.layout._INSIDE", code)
    layout = make_layout(tmp_path / "s", Bubblewrap())
    assert (layout.code / "inside" / "kernel.py").is_file()
    assert Path("/grader/inside") not in {one.target for one in layout.binds(Path(sys.executable)).mounts}


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_other_users_may_read_the_folders_whatever_the_umask_is(tmp_path: Path) -> None:
    apart = tmp_path / "apart"
    apart.mkdir(mode=0o700)
    source = tmp_path / "utils.py"
    source.write_text("W = 1")
    file = CourseFile(source, "lib/utils.py", hashlib.sha256(b"W = 1").hexdigest())
    with strict_umask():
        layout = make_layout(tmp_path / "s", NoIsolation(), datasets=("own",), elsewhere={"own": apart})
        place_course_files([file], layout)
    data = layout.inner("data")
    assert (data / "own").samefile(apart)
    folders = (
        layout.code,
        layout.work,
        layout.out,
        layout.home,
        layout.tmp,
        data,
        layout.course,
        layout.course / "lib",
    )
    assert {mode(folder) for folder in folders} == {0o755}
    assert {mode(place / "lib/utils.py") for place in (layout.course, layout.folder)} == {0o444}
    # A folder of somebody else is not opened by the link to it.
    assert mode(apart) == 0o700


def test_a_folder_with_something_in_it_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("x")
    with pytest.raises(SandboxError, match="not empty"):
        make_layout(tmp_path, Bubblewrap())


def test_a_wheel_below_a_mounted_prefix_is_masked() -> None:
    mounts = [Mount(Path("/opt/conda"), Path("/opt/conda")), Mount(Path("/opt/conda"), Path("/conda"))]
    secret = Path("/opt/conda/lib/python3.11/site-packages/grader")
    shown = masks(mounts, [secret, Path("/srv/rubrics")])
    assert shown == (secret, Path("/conda/lib/python3.11/site-packages/grader"))


def test_what_no_mount_shows_needs_no_mask() -> None:
    assert masks([Mount(Path("/opt/py"), Path("/opt/py"))], [Path("/opt/python-grader")]) == ()


def test_rubrics_in_a_mounted_site_packages_are_secret(tmp_path: Path) -> None:
    ours = tmp_path / "lib" / "python3.11" / "site-packages" / "grader"
    (ours / "_share" / "rubrics").mkdir(parents=True)
    other = tmp_path / "lib" / "python3.12" / "site-packages" / "grader"
    other.mkdir(parents=True)
    found = secret_folders([Mount(tmp_path, tmp_path)])
    assert ours in found
    assert other not in found


def test_the_graders_own_code_is_secret() -> None:
    assert Path(sys.modules["grader.schema"].__path__[0]).parent in secret_folders()


def test_a_python_is_mounted_with_the_prefix_its_executable_really_has() -> None:
    python = Path(sys.executable)
    targets = [mount.target for mount in python_mounts(python)]
    for needed in (python, python.resolve()):
        assert needed.is_relative_to("/usr") or any(needed.is_relative_to(target) for target in targets)
    assert not any(mount.writable for mount in python_mounts(python))


def test_links_pipes_and_caches_are_not_copied(tmp_path: Path) -> None:
    source, target = tmp_path / "in", tmp_path / "out"
    (source / "sub").mkdir(parents=True)
    (source / ".git").mkdir()
    (source / ".git" / "config").write_text("x")
    (source / "sub" / "kept.txt").write_text("kept")
    (source / "my-venv").mkdir()
    (source / "my-venv" / "pyvenv.cfg").write_text("home = /usr/bin")
    (source / "link.txt").symlink_to("/etc/passwd")
    (source / "linked").symlink_to("/etc")
    os.mkfifo(source / "pipe")
    with socket.socket(socket.AF_UNIX) as unix:
        # The path of a socket is short, and that of the test's folder need not be.
        descriptor = os.open(source / "sub", os.O_PATH)
        unix.bind(f"/proc/self/fd/{descriptor}/socket")
        os.close(descriptor)
    target.mkdir()
    assert copy_submission(source, target) == ("pipe", "sub/socket")
    only = tmp_path / "only"
    only.mkdir()
    assert copy_submission(source, only, only=("sub/kept.txt", "sub/socket")) == ("sub/socket",)
    assert len(digest_files(source)) == len(digest_files(source, only=("sub/kept.txt", "sub/socket")))
    assert sorted(str(path.relative_to(target)) for path in target.rglob("*")) == ["sub", "sub/kept.txt"]


@pytest.fixture
def two_places(tmp_path: Path) -> tuple[Path, Path]:
    """Make a folder of data sets, and a data set in another folder."""
    (tmp_path / "data" / "mnist").mkdir(parents=True)
    (tmp_path / "apart" / "cifar10").mkdir(parents=True)
    (tmp_path / "apart" / "cifar10" / "x_train.npy").write_text("x")
    return tmp_path / "data", tmp_path / "apart" / "cifar10"


def test_a_data_set_that_lies_elsewhere_is_mounted_beside_the_others(
    tmp_path: Path, two_places: tuple[Path, Path]
) -> None:
    data, apart = two_places
    layout = make_layout(
        tmp_path / "s", Bubblewrap(), data=data, datasets=("mnist", "cifar10"), elsewhere={"cifar10": apart}
    )
    shown = {str(mount.target): mount.source for mount in layout.binds(Path(sys.executable)).mounts}
    assert (shown["/data/mnist"], shown["/data/cifar10"]) == (data / "mnist", apart)


def test_without_mounts_links_bring_the_data_sets_together(tmp_path: Path, two_places: tuple[Path, Path]) -> None:
    data, apart = two_places
    layout = make_layout(
        tmp_path / "s", NoIsolation(), data=data, datasets=("mnist", "cifar10"), elsewhere={"cifar10": apart}
    )
    assert sorted(path.name for path in layout.inner("data").iterdir()) == ["cifar10", "mnist"]
    assert (layout.inner("data") / "cifar10" / "x_train.npy").read_text() == "x"
    assert make_layout(tmp_path / "t", NoIsolation(), data=data, datasets=("mnist",)).inner("data") == data


def _a_python(path: Path, numpy: str) -> Path:
    """Make a Python with a given version of NumPy and without Keras."""
    site = path / "site" / f"numpy-{numpy}.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text(f"Metadata-Version: 2.1\nName: numpy\nVersion: {numpy}\n")
    python = path / "python"
    code = f'import sys; sys.path.append("{site.parent}"); exec(sys.argv.pop(1))'
    python.write_text(f"#!/bin/sh\nshift 2\nexec {sys.executable} -S -c '{code}' \"$@\"\n")
    python.chmod(0o755)
    return python


def test_the_versions_are_those_of_the_python_that_is_asked(tmp_path: Path) -> None:
    versions = python_versions(_a_python(tmp_path, "0.1.2"), ("numpy", "keras"))
    assert versions == {"python": platform.python_version(), "numpy": "0.1.2"}
    assert python_versions(Path(sys.executable), ("numpy",))["numpy"] == importlib.metadata.version("numpy")


def test_what_is_no_python_has_no_versions(tmp_path: Path) -> None:
    with pytest.raises(SandboxError, match=r"run\.kernel: .* does not run as a Python"):
        python_versions(tmp_path / "none", ("numpy",))
