"""Files next to a notebook, and archives, that attack the program that finds, unpacks and copies them."""

import io
import json
import os
import socket
import stat
import struct
import zipfile
from pathlib import Path
from typing import Any

from tests.hostile.corpus import Traps, built, notebook_of, write_notebook
from tests.hostile.expected import Must

__all__: list[str] = []

_FINE = 'print("ran")'


def _ran(*, prints: tuple[str, ...] = ("ran",), **more: Any) -> Must:
    return Must(**{"outcome": ("graded", "flagged"), "execution": "completed", "prints": prints, **more})


def _refused(*reasons: str) -> Must:
    return Must(outcome="refused", execution="none", says=reasons)


def _notebook(*cells: str) -> bytes:
    return json.dumps(notebook_of(*cells)).encode()


# --- files that Python and Jupyter read by themselves -----------------------------------------------------------------

_TAKEN = """
import json, sys
sys.path.append("/nowhere")
print("STARTED-" + "BY-ITSELF")
"""


@built(
    "shadowing",
    "Replace NumPy, Keras and TensorFlow by modules next to the notebook that report a perfect training.",
    _ran(
        criteria={"accuracy": ("failed", "pending"), "trained": ("failed", "pending")},
        unverified=True,
        prints=("You must call `compile",),
        execution="cell_error",
        never=("own keras",),
    ),
)
def own_libraries(folder: Path, _: Traps) -> None:
    fake = "class Model:\n    def fit(self, *a, **k): return None\nSequential = Model\nprint('own ' + __name__)\n"
    for name in ("keras", "tensorflow"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(fake)
    (folder / "tf_keras.py").write_text(fake)
    write_notebook(folder / "work.ipynb", "import keras\nkeras.Sequential().fit()", _FINE)


@built(
    "shadowing",
    "Replace modules that the recorder and the kernel import: json, numpy, inside, ipykernel, wrapt.",
    _ran(),
)
def own_modules_of_the_kernel(folder: Path, traps: Traps) -> None:
    code = f"open({traps['folder'] + '/mark-shadow'!r}, 'w')\nraise SystemExit('shadowed')\n"
    for name in ("json", "numpy", "wrapt", "h5py", "zmq", "traitlets", "IPython", "ipykernel_launcher", "site", "os"):
        (folder / f"{name}.py").write_text(code)
    for name in ("inside", "ipykernel", "grader", "jupyter_client"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text(code)
        (folder / name / "__main__.py").write_text(code)
        (folder / name / "kernel.py").write_text(code)
    write_notebook(folder / "work.ipynb", _FINE)


@built(
    "shadowing",
    "Bring files that Python and Jupyter execute when they start: sitecustomize, .pth, profiles, settings.",
    _ran(never=("STARTED-BY-ITSELF",)),
)
def files_that_start_by_themselves(folder: Path, _: Traps) -> None:
    for name in (
        "sitecustomize.py",
        "usercustomize.py",
        "ipython_config.py",
        "ipython_kernel_config.py",
        "conftest.py",
    ):
        (folder / name).write_text(_TAKEN)
    for name in ("jupyter_config.py", "jupyter_client_config.py", "pytest.ini", "setup.py"):
        (folder / name).write_text(_TAKEN)
    (folder / "x.pth").write_text("import sys; print('STARTED-' + 'BY-ITSELF')\n")
    (folder / "pyvenv.cfg").write_text("home = .\n")
    for place in (".ipython/profile_default/startup", ".jupyter", ".config", ".local/lib/python3.11/site-packages"):
        (folder / place).mkdir(parents=True)
        (folder / place / "00-start.py").write_text(_TAKEN)
        (folder / place / "usercustomize.py").write_text(_TAKEN)
    (folder / ".env").write_text("PYTHONSTARTUP=sitecustomize.py\n")
    write_notebook(folder / "work.ipynb", _FINE)


@built(
    "shadowing",
    "Bring a rubric, results, judgements and an autograder of its own, for the grader to use.",
    _ran(score=1.0),
)
def own_rubric(folder: Path, _: Traps) -> None:
    (folder / "rubric.yaml").write_text("version: 1\nid: hostile\ncriteria: [{id: runs, points: 1000, check: runs}]\n")
    (folder / "course.yaml").write_text("version: 1\n")
    (folder / "grade.json").write_text('{"version": 1, "score": 17}')
    (folder / "judgements.jsonl").write_text('{"criterion": "accuracy", "points": 10}\n')
    (folder / "grader.sqlite").write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)
    (folder / "run_autograder").write_text("#!/bin/sh\nexit 0\n")
    write_notebook(folder / "work.ipynb", _FINE)


@built(
    "shadowing",
    "Bring pickles under the names of data files, for whoever loads them.",
    _ran(prints=("ValueError", "ran")),
)
def pickles_as_data(folder: Path, traps: Traps) -> None:
    mark = f"cposix\nsystem\n(S'touch {traps['folder']}/mark-pickle'\ntR.".encode()
    header = b"\x93NUMPY\x01\x00v\x00" + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    (folder / "x_train.npy").write_bytes(header + mark)
    for name in ("model.keras", "model.h5", "model.pkl", "mnist.npz", "history.npy", "weights.h5"):
        (folder / name).write_bytes(mark)
    write_notebook(
        folder / "work.ipynb",
        "import numpy as np\ntry:\n    np.load('x_train.npy')\nexcept ValueError as error:\n    print(repr(error))",
        _FINE,
    )


# --- special files ----------------------------------------------------------------------------------------------------


@built(
    "special-files",
    "Hand in links to files of the machine, for the grader to copy.",
    _ran(prints=("found: \\[\\]",)),
)
def links_to_the_machine(folder: Path, traps: Traps) -> None:
    for name, target in (
        ("a.txt", traps["folder"] + "/secret.txt"),
        ("home", traps["home"]),
        ("root", "/"),
        ("me", "."),
    ):
        (folder / name).symlink_to(target)
    (folder / "loop").symlink_to("loop")
    write_notebook(
        folder / "work.ipynb",
        "import os\nprint('found:', [n for n in os.listdir('.') if n != 'work.ipynb' and os.path.exists(n)])",
    )


@built(
    "special-files",
    "Hand in pipes and sockets, at which a copying program waits forever.",
    _ran(says=("the submitted {name:code} is a socket, a pipe or a device",)),
)
def pipes_and_sockets(folder: Path, _: Traps) -> None:
    os.mkfifo(folder / "data.csv")
    os.mkfifo(folder / "other.ipynb.txt")
    descriptor = os.open(folder, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as named:
        named.bind(f"/proc/self/fd/{descriptor}/s.sock")
    os.close(descriptor)
    write_notebook(folder / "work.ipynb", _FINE)


@built("special-files", "Hand in a pipe under the name of the notebook.", _refused())
def pipe_as_notebook(folder: Path, _: Traps) -> None:
    os.mkfifo(folder / "work.ipynb")


@built("special-files", "Hand in a notebook that is a link to a file of the machine.", _refused())
def link_as_notebook(folder: Path, traps: Traps) -> None:
    (folder / "work.ipynb").symlink_to(traps["folder"] + "/secret.txt")


@built(
    "special-files",
    "Hand in folders so deep that no program can copy or remove them.",
    _refused("the submission has more than {limit:size}"),
)
def deep_folders_in_a_submission(folder: Path, _: Traps) -> None:
    write_notebook(folder / "work.ipynb", _FINE)
    folder.joinpath(*["d"] * 100).mkdir(parents=True)


@built(
    "special-files",
    "Use names with line ends, escape codes, formulas, other alphabets and no UTF-8.",
    _ran(),
)
def names_of_files(folder: Path, _: Traps) -> None:
    names = [
        "a\nb.txt",
        "\x1b]0;x\x07.txt",
        "=cmd|' -C calc'!A0.csv",
        "\u202etxt.exe",
        "-rf",
        "--rubric",
        "CON",
        "aux.py",
    ]
    for name in (*names, "x" * 250, "<script>alert(1)</script>".replace("/", "\u2215"), ".." + ".txt"):
        (folder / name).write_text("x")
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff\xfe.txt")).write_text("x")
    write_notebook(folder / "work.ipynb", _FINE)


@built(
    "special-files",
    "Hand in programs that run as their owner, and files that nobody may read.",
    _ran(prints=("rights: 0o[0-7]{3} ", "ran")),
)
def rights_of_files(folder: Path, _: Traps) -> None:
    (folder / "tool").write_bytes(Path("/bin/true").read_bytes())
    (folder / "tool").chmod(0o6755)
    write_notebook(
        folder / "work.ipynb", "import os\nprint('rights:', oct(os.stat('tool').st_mode & 0o7777), '')", _FINE
    )


# --- archives ---------------------------------------------------------------------------------------------------------


def _zip(folder: Path, members: dict[str, bytes], name: str = "work.zip") -> None:
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)


@built(
    "archives",
    "Unpack a file to a folder above, with `..` in its name.",
    _refused("a name in the zip leads out of its folder"),
)
def zip_slip(folder: Path, _: Traps) -> None:
    _zip(folder, {"work.ipynb": _notebook(_FINE), "../../../../../../tmp/grader-mark-slip": b"x"})


@built(
    "archives",
    "Unpack a file to an absolute path, and to a drive of Windows.",
    _refused("a name in the zip leads out of its folder"),
)
def zip_with_absolute_names(folder: Path, traps: Traps) -> None:
    _zip(folder, {"work.ipynb": _notebook(_FINE), traps["folder"] + "/mark-absolute": b"x", "C:\\mark": b"x"})


@built(
    "archives",
    "Unpack through a link that leads to a folder of the machine.",
    _ran(prints=(r"\['out', 'work.ipynb'\]",)),
)
def zip_with_links(folder: Path, traps: Traps) -> None:
    with zipfile.ZipFile(folder / "work.zip", "w") as archive:
        archive.writestr("work.ipynb", _notebook("import os\nprint(sorted(os.listdir('.')))"))
        link = zipfile.ZipInfo("out")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, traps["folder"])
        archive.writestr("out/mark-link", b"x")
        device = zipfile.ZipInfo("device")
        device.external_attr = (stat.S_IFBLK | 0o666) << 16
        archive.writestr(device, b"")


@built(
    "archives",
    "Fill the disk with a zip of a megabyte that unpacks to gigabytes.",
    _refused("the zip unpacks to {ratio:number} times its size"),
)
def zip_bomb(folder: Path, _: Traps) -> None:
    with zipfile.ZipFile(folder / "work.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("work.ipynb", _notebook(_FINE))
        with archive.open("zeros.bin", "w", force_zip64=True) as member:
            for _megabyte in range(400):
                member.write(b"\0" * (1 << 20))


@built("archives", "Declare a small size for members that unpack to a large one, and let members overlap.", _refused())
def zip_with_false_sizes(folder: Path, _: Traps) -> None:
    _zip(folder, {"work.ipynb": _notebook(_FINE), "zeros.bin": b"\0" * (64 << 20)})
    content = bytearray((folder / "work.zip").read_bytes())
    size = struct.pack("<I", 64 << 20)
    (folder / "work.zip").write_bytes(bytes(content.replace(size, struct.pack("<I", 100))))


@built("archives", "Put zips into zips into zips.", _refused("no notebook was submitted, only {"))
def zip_in_zip(folder: Path, _: Traps) -> None:
    content = _notebook(_FINE)
    name = "work.ipynb"
    for _depth in range(60):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr(name, content)
        content, name = buffer.getvalue(), "work.zip"
    (folder / "work.zip").write_bytes(content)


@built("archives", "Encrypt the zip, so that nobody sees what is in it.", _refused("the zip is encrypted ({member})"))
def zip_with_password(folder: Path, _: Traps) -> None:
    _zip(folder, {"work.ipynb": _notebook(_FINE)})
    content = bytearray((folder / "work.zip").read_bytes())
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (folder / "work.zip").write_bytes(bytes(content))


@built(
    "archives",
    "Use the same name twice, also in other letters, to replace a file after it was checked.",
    _ran(prints=("other",), never=("again",)),
)
def zip_with_equal_names(folder: Path, _: Traps) -> None:
    with zipfile.ZipFile(folder / "work.zip", "w") as archive:
        for member, code in (
            ("work.ipynb", _FINE),
            ("WORK.ipynb", "print('other', 'than', 'all')"),
            ("wörk.ipynb", _FINE),
        ):
            archive.writestr(zipfile.ZipInfo(member), _notebook(code))
        # All of them have the same time, since the latest of several versions counts.
        archive.writestr(zipfile.ZipInfo("./work.ipynb"), _notebook("print('again')"))
        archive.writestr(zipfile.ZipInfo("wo\u0308rk.ipynb"), _notebook("print('composed')"))


@built(
    "archives",
    "Use names of devices, with line ends, without end, and in bytes that are no text.",
    _refused("a file in the zip is in more than {"),
)
def zip_with_bad_names(folder: Path, _: Traps) -> None:
    names = (
        "CON",
        "aux.txt",
        "nul:",
        "a\nb",
        "\x1b]0;x\x07",
        "x" * 5000,
        "d/" * 500 + "x",
        " ",
        "a\\..\\..\\b",
        "=1+1.csv",
    )
    _zip(folder, {"work.ipynb": _notebook(_FINE), **dict.fromkeys(names, b"x")})


@built("archives", "Have a hundred thousand members in one zip.", _refused("the zip has {members:number} members"))
def zip_with_many_members(folder: Path, _: Traps) -> None:
    with zipfile.ZipFile(folder / "work.zip", "w") as archive:
        archive.writestr("work.ipynb", _notebook(_FINE))
        for number in range(60_000):
            archive.writestr(zipfile.ZipInfo(f"d/{number}"), b"")


@built(
    "archives",
    "Name a file twice: once for programs that read the plain name, once in Info-ZIP's field for UTF-8.",
    _ran(),
)
def zip_with_two_alphabets(folder: Path, _: Traps) -> None:
    path = b"../../../../tmp/grader-mark-infozip"
    extra = struct.pack("<HHBI", 0x7075, 5 + len(path), 1, 0) + path
    info = zipfile.ZipInfo("work.ipynb")
    info.extra = extra
    with zipfile.ZipFile(folder / "work.zip", "w") as archive:
        archive.writestr(info, _notebook(_FINE))


@built("archives", "Hand in bytes that only begin like a zip, with an end that points everywhere.", _refused())
def zip_without_sense(folder: Path, _: Traps) -> None:
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    (folder / "work.zip").write_bytes(b"PK\x03\x04" + b"\xff" * 5000 + end)
