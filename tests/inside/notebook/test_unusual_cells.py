"""Cells that end the kernel, check the machine, or use what other environments have: each in a real IPython shell."""

import os
import re
from pathlib import Path

import pytest

from grader.inside.notebook.ending import kills_kernel
from tests.inside.notebook.test_install import Form, Ran
from tests.inside.notebook.test_install import _run as run_forms

PRINT_ON = "\nprint('on')"


def ends(name: str, code: str, event: str = "end.restart") -> Form:
    """Return a cell that ends without an error before its last line, with a note about the call."""
    return Form(name, f"seen = {name!r}\n{code}\nprint('too late')", event, "[grader]")


def skips(name: str, code: str) -> Form:
    """Return a cell whose environment check is skipped, and whose other statements run."""
    return Form(name, code + PRINT_ON, "environment.check", "checks the machine")


def runs(name: str, code: str, shows: str = "on", event: str | None = None) -> Form:
    """Return a cell that ends well."""
    return Form(name, code, event, shows)


ENDING = (
    ends("quit", "quit()", "end.cell"),
    ends("exit", "if True:\n    exit()", "end.cell"),
    ends("sys.exit", "import sys\nsys.exit()", "end.cell"),
    ends("sys.exit(0)", "sys.exit(0)", "end.cell"),
    ends("SystemExit", "raise SystemExit", "end.cell"),
    ends("in a function", "def stop():\n    quit()\nstop()", "end.cell"),
    ends("os.kill", "import os\nos.kill(os.getpid(), 9)"),
    ends("os.kill with a name", "import signal\nos.kill(os.getpid(), signal.SIGKILL)"),
    ends("SIGTERM", "os.kill(os.getpid(), signal.SIGTERM)"),
    ends("os._exit", "os._exit(00)"),
    ends("os.abort", "os.abort()"),
    ends("raise_signal", "signal.raise_signal(signal.SIGKILL)"),
    ends("kill in a shell", "!kill -9 {os.getpid()}"),
    ends("kill the parent in a shell", "!kill -9 $PPID"),
    ends("os.system", "os.system('kill -9 %d' % os.getpid())"),
    ends("after an except", "try:\n    os._exit(1)\nexcept Exception:\n    print('caught')"),
    ends(
        "silent exception",
        "class Stop(Exception):\n    def _render_traceback_(self):\n        return []\nraise Stop",
        "end.cell",
    ),
    runs("variables stay", "print(seen)", "silent exception"),
    Form("%%time", "%%time\nquit()\nprint('too late')", "end.cell", "[grader]"),
    runs("the next cell", "print('on')"),
    Form("sys.exit with a message", "sys.exit('no data')", None, error="SystemExit", says="no data"),
    Form("own exception", "class Bad(Exception):\n    pass\nraise Bad('no')", error="Bad", says="no"),
    Form("sys.exit(1)", "sys.exit(1)", None, error="SystemExit", says="1"),
    runs("signal 0", "os.kill(os.getpid(), 0); print('on')"),
    runs(
        "handled signal",
        "signal.signal(signal.SIGTERM, lambda *_: print('on'))\nos.kill(os.getpid(), signal.SIGTERM)\n"
        "_ = signal.signal(signal.SIGTERM, signal.SIG_DFL)",
    ),
    runs(
        "child",
        "child = os.fork()\nif child == 0:\n    os._exit(7)\nprint('ended with', os.waitpid(child, 0)[1] >> 8)",
        "ended with 7",
    ),
    runs(
        "killed child",
        "import subprocess\nchild = subprocess.Popen(['sleep', '60'])\nos.kill(child.pid, 9)\nprint(child.wait())",
        "-9",
    ),
    runs("kill of another", "!kill -0 1\nprint('on')"),
)

CHECKS = (
    skips("before the import", "assert tf.config.list_physical_devices('GPU'), 'turn the GPU on'"),
    runs("a module without GPUs", "class tf:\n    class config:\n        list_physical_devices = lambda kind: []\n"
         "        class experimental:\n            set_memory_growth = None\n"
         "    class test:\n        gpu_device_name = lambda: ''\n        is_gpu_available = lambda: False\n"
         "    __version__ = '2.21.0'\nprint('on')"),
    skips("assert", "assert tf.config.list_physical_devices('GPU')"),
    skips("number", "assert len(tf.config.list_physical_devices('GPU')) > 0, 'no GPU'"),
    skips(
        "Colab's tutorial",
        "device_name = tf.test.gpu_device_name()\nif device_name != '/device:GPU:0':\n"
        "    raise SystemError('GPU device not found')",
    ),
    skips("variable of a cell above", "if not device_name:\n    print('no GPU')\n    raise RuntimeError('GPU')"),
    skips("list", "gpus = tf.config.list_physical_devices('GPU')\nassert len(gpus) > 0"),
    skips("else", "if gpus:\n    print('fast')\nelse:\n    raise SystemError('no GPU')"),
    skips("exit", "import sys\nif not tf.test.is_gpu_available():\n    print('Please turn it on')\n    sys.exit()"),
    skips("function", "def check():\n    assert tf.test.is_gpu_available()\n    return 1\ncheck()"),
    skips("walrus", "assert (found := tf.config.list_physical_devices('GPU')) != []\nprint(found)"),
    skips("memory growth", "tf.config.experimental.set_memory_growth(gpus[0], True)"),
    skips("assigned", "config = tf.config.experimental.set_memory_growth(gpus[0], True)\nprint(config)"),
    skips("first device", "gpu = tf.config.list_physical_devices('GPU')[0]\nprint(gpu)"),
    skips("printed device", "print(tf.test.gpu_device_name()[0])"),
    skips("torch", "import torch\nassert torch.cuda.is_available()"),
    skips("version", "assert tf.__version__ >= '2.8'"),
    skips("exact version", "assert tf.__version__.startswith('2.3'), tf.__version__"),
    skips("Python's version", "import sys\nassert sys.version_info[:2] == (3, 6)"),
    skips("or", "tf.config.list_physical_devices('GPU') or sys.exit('no GPU')"),
    skips("address of a TPU", "import os\ntpu = 'grpc://' + os.environ['COLAB_TPU_ADDR']\nprint(tpu)"),
    skips("Colab", "import os\nassert 'COLAB_GPU' in os.environ"),
    skips("TPU", "try:\n    tpu = tf.distribute.cluster_resolver.TPUClusterResolver()\n    print(tpu.master())\n"
          "except (ValueError, AttributeError):\n    raise BaseException('not connected to a TPU')"),
    runs("check that holds", "assert sys.version_info >= (3, 5)\nassert not tf.test.is_gpu_available()\nprint('on')"),
    runs("choice", "batch = 128 if gpus else 32\nprint(batch)", "32"),
    Form("own assertion", "assert batch == 64, 'wrong batch'", None, error="AssertionError", says="wrong batch"),
    Form("own error", "x = [1]\nif len(x) != 2:\n    raise ValueError('two are required')", error="ValueError",
         says="two are required"),
    Form("own error in a try", "try:\n    print(tf.test.gpu_device_name(), 1 / 0)\n    y = [][0]\n"
         "except ZeroDivisionError:\n    raise", None, error="ZeroDivisionError", says="zero"),
    Form("own index", "x[5]", None, error="IndexError", says="out of range"),
)  # fmt: skip

NAMES = (
    runs("display of core", "from IPython.core.display import display, HTML\ndisplay(HTML('<b>on</b>'))\nprint('on')",
         event="moved.ipython"),
    runs("formats", "from IPython.display import set_matplotlib_formats\nset_matplotlib_formats('svg')\nprint('on')",
         event="moved.ipython"),
    runs("formats of core", "from IPython.core.display import set_matplotlib_formats, clear_output\nprint('on')",
         event="moved.ipython"),
    Form("no such name", "from IPython.display import no_such_name", error="ImportError", says="no_such_name"),
    runs("widgets of old", "from IPython.html.widgets import interact\nprint('on')", event="moved.ipython"),
    runs("ipywidgets", "import ipywidgets as w\n_ = w.interact(lambda i: print('called with', i), i=(0, 8))",
         "called with 4"),
    runs("plotly", "import plotly.express as px\npx.line(x=[1, 2], y=[3, 4]).show()\nprint('on')"),
    runs("altair", "import altair as alt\nprint(alt.Chart().mark_bar().to_dict()['mark'])", "bar"),
    runs("otter", "import otter\ngrader = otter.Notebook('lab.ipynb')\ngrader.check('q1')\ngrader.check_all()\n"
         "grader.export(run_tests=True)\nprint('on')", event="otter"),
    runs("tqdm", "from tqdm.auto import tqdm\nfrom tqdm.notebook import tqdm as bars\nprint(sum(tqdm([1, 2])), "
         "sum(bars([3])))", "3 3", "tqdm.notebook"),
    runs("own file that is missing", "import student_file\nprint('on')", "submit `student_file.py` as well",
         "import.student_file"),
)  # fmt: skip

MAGICS = (
    runs("unknown cell magic", "%%heat\nx = 5\nprint(x)", "its cell ran without it", "magic.unknown"),
    runs("its variables", "print(x)", "5"),
    runs("with arguments", "%%wandb -h 720\nx += 1\nx", "6", "magic.unknown"),
    Form("its error", "%%memit\n1 / 0", "magic.unknown", "line 2", error="ZeroDivisionError", says="zero"),
    runs("another language", "%%sql\nselect * from digits", "its cell was skipped", "magic.unknown"),
    runs("with a magic inside", "%%heat\n%matplotlib inline\n!echo here\nprint('on')", "here", "magic.unknown"),
    runs("known cell magic", "%%capture words\nprint('on')", ""),
    runs("line magic as cell magic", "%%time\nprint('on')", "on"),
    runs("unknown line magic", "%heat 5\nprint('on')", "was skipped", "magic.unknown"),
)

PICTURES = (
    runs("picture", "from IPython.display import Image, SVG, Video, display\nImage('architecture.png')",
         "'architecture.png' cannot be shown", "picture.missing"),
    runs("picture by filename", "display(Image(filename='img/a.jpg', width=300))\nprint('on')", "on",
         "picture.missing"),
    runs("picture by path", "from pathlib import Path\nImage(Path('b.png'))", "'b.png' cannot be shown",
         "picture.missing"),
    runs("drawing", "SVG('c.svg')", "'c.svg' cannot be shown", "picture.missing"),
    runs("drawing by filename", "display(SVG(filename='c.svg'))\nprint('on')", "on", "picture.missing"),
    runs("film", "Video('d.mp4', embed=True)", "'d.mp4' cannot be shown", "picture.missing"),
    Form("picture that is here", "import matplotlib.pyplot as plt\nplt.imsave('e.png', [[0, 1]])\n"
         "display(Image('e.png'))", images=1),
    Form("bytes", "display(Image(open('e.png', 'rb').read()))", images=1),
    runs("address", "Image('https://example.invalid/f.png')\nprint('on')", "on", "picture.missing"),
    Form("read, not shown", "plt.imread('missing.png')", None, error="FileNotFoundError"),
)  # fmt: skip

GROUPS = {"ending": ENDING, "checks": CHECKS, "names": NAMES, "magics": MAGICS, "pictures": PICTURES}
FORMS = [pytest.param(group, form, id=f"{group}-{form.name}") for group, forms in GROUPS.items() for form in forms]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """All groups, each run in its own process at the first request."""

    class Made(dict[str, Ran]):
        def __missing__(self, name: str) -> Ran:
            self[name] = run_forms(tmp_path_factory.mktemp(name), "keras3", GROUPS[name])
            return self[name]

    return Made()


@pytest.mark.parametrize(("group", "form"), FORMS)
def test_a_cell_has_its_expected_effect(ran: dict[str, Ran], group: str, form: Form) -> None:
    result = ran[group].result(form.name)
    output = re.sub(r"\x1b\[[0-9;]*m", "", result["output"])
    name, message = result["error"] or (None, "")
    assert name == form.error, output
    assert form.says in message
    assert form.shows in output
    assert "too late" not in output
    assert result["images"] == form.images
    noted = [event["form"] for event in ran[group].events("emulated", form.name)]
    assert form.event in noted if form.event else noted == []


def test_a_cell_that_was_ended_shows_no_traceback(ran: dict[str, Ran]) -> None:
    for form in ENDING[:17]:
        assert "Traceback" not in ran["ending"].result(form.name)["output"], form.name


def test_no_file_of_the_run_is_left_over(ran: dict[str, Ran], tmp_path: Path) -> None:
    assert not list(tmp_path.iterdir())
    assert ran["pictures"].events("end")


@pytest.mark.parametrize(
    ("line", "kills"),
    [
        (f"kill -9 {os.getpid()}", True),
        ("kill $PPID", True),
        ("sleep 1; sudo kill -KILL -1", True),
        ("pkill -f python3", True),
        ("killall -9 ipykernel_launcher", True),
        ("kill -9 4194305", False),
        ("pkill tensorboard", False),
        ("echo kill -9 $PPID", False),
        ("", False),
    ],
)
def test_a_shell_line_kills_the_kernel_or_not(line: str, kills: bool) -> None:  # noqa: FBT001 - a table
    assert kills_kernel(line) == kills
