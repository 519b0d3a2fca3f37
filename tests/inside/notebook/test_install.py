"""Every form of other environments, run in a real IPython shell with the replacements: one row per form."""

import json
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import grader
from grader.inside.describe.fingerprint import fingerprint
from tests.support.forked_python import forked_python
from tests.support.inside_alone import inside_alone

ROOT = Path(grader.__file__).parent
DRIVER = Path(__file__).parents[2] / "support" / "run_cells.py"
ROWS = {"train": 500, "test": 100}


@dataclass(frozen=True, slots=True)
class Form:
    """A form with the code of a cell and its expected effects."""

    name: str
    code: str
    event: str | None = None
    """Form id of the `emulated` event; None: there is none."""
    shows: str = ""
    """Text among the cell's output."""
    error: str | None = None
    """Class of the error the cell ends with; None: it ends well."""
    says: str = ""
    """Text of the error."""
    images: int = 0


PLAIN = (
    Form("colab", "from google.colab import drive\nprint(drive.__name__)", "colab", "google.colab.drive"),
    Form("protobuf", "import google.protobuf\nfrom google.protobuf import message\nprint('there')", None, "there"),
    Form(
        "mount",
        "from google.colab import drive\ndrive.mount('/content/drive')",
        "colab.drive.mount",
        "There is no Google Drive",
    ),
    Form(
        "upload",
        "from google.colab import files\nfiles.upload()",
        "colab.files.upload",
        error="NobodyThereError",
        says="Submit the file together with the notebook",
    ),
    Form("download", "files.download('a.h5'); print('on')", "colab.files.download", "on"),
    Form("secret", "from google.colab import userdata\nuserdata.get('KEY')", error="SecretNotFoundError", says="KEY"),
    Form(
        "imshow",
        "import numpy as np\nfrom google.colab.patches import cv2_imshow\ncv2_imshow(np.zeros((9, 9, 3)))",
        images=1,
    ),
    Form("input", "n = int(input('How many? '))", "input", error="NobodyThereError", says="How many?"),
    Form("getpass", "import getpass\ngetpass.getpass()", "getpass.getpass", error="NobodyThereError", says="Assign"),
    Form("winsound", "import winsound\nwinsound.Beep(440, 9)\nwinsound.PlaySound('x', winsound.SND_ASYNC)", "winsound"),
    Form(
        "absent package",
        "import numpy as np, cv2\nfrom torch import nn\nimport torch.utils.data as tud\nimport json\n"
        "print(json.dumps(1), np.ones(2).sum())",
        "import.cv2",
        "1 2.0",
    ),
    Form(
        "absent looked at",
        "print(repr(cv2), callable(hasattr), hasattr(cv2, '_repr_html_'))",
        None,
        "cv2: not installed",
    ),
    Form("absent used", "cv2.resize(np.ones((2, 2)), (4, 4))", None, error="ModuleNotFoundError", says="'cv2'"),
    Form("absent ancestor", "class Net(nn.Module):\n    pass", None, error="ModuleNotFoundError", says="'torch'"),
    Form(
        "absent called", "from mixins import mix\nmix(3)", "import.mixins", error="ModuleNotFoundError", says="mixins"
    ),
    Form("absent star", "from grading import *\nimport json\nprint(json.dumps(2))", "import.grading", "2"),
    Form("absent part", "from sklearn.grid_search import GridSearchCV", None, error="ModuleNotFoundError", says="grid"),
    Form("tried import", "try:\n    import torch\nexcept ImportError:\n    print('without')", None, "without"),
    Form(
        "late path",
        "import os, sys\nos.makedirs('lib', exist_ok=True)\nopen('lib/late.py', 'w').write('x = 7')\n"
        "sys.path.append('lib')\nimport late\nprint(late.x)",
        None,
        "7",
    ),
    Form(
        "own file that needs more",
        "open('lib/needs.py', 'w').write('import torch')\nimport needs",
        None,
        error="ModuleNotFoundError",
        says="'torch'",
    ),
    Form(
        "tqdm.notebook",
        "from tqdm.notebook import tqdm, trange\nprint(sum(tqdm(range(4))), list(trange(2)))",
        "tqdm.notebook",
        "6 [0, 1]",
    ),
    Form("tqdm.auto", "from tqdm.auto import tqdm\nprint(sum(tqdm([1, 2])))", None, "3"),
    Form("tensorflow_version", "%tensorflow_version 2.x\nprint('on')", "magic.tensorflow_version", "on"),
    Form("load_ext tensorboard", "%load_ext tensorboard\nprint('on')", "magic.tensorboard", "on"),
    Form("tensorboard", "%tensorboard --logdir logs\nprint('on')", "magic.tensorboard", "Plot `history.history`"),
    Form("load_ext unknown", "%load_ext no_such_thing\nprint('on')", "magic.load_ext", "no_such_thing"),
    Form("load_ext known", "%load_ext autoreload\n%autoreload 2\nprint('on')", None, "on"),
    Form("unknown magic", "%inline matplotlib\nprint('on')", "magic.unknown", "`%inline matplotlib` is unknown here"),
    Form("late cell magic", "# timing\n%%time\nprint('on')", "magic.unknown", "must be the first line of its cell"),
    Form("% matplotlib inline", "% matplotlib inline\nprint('on')", None, "on"),
    Form("modulo", "print('%d'\n% 7)", None, "7"),
    Form("matplotlib inline", "%matplotlib inline\nprint('on')", None, "on"),
    Form("matplotlib notebook", "%matplotlib notebook\nprint('on')", "magic.matplotlib", "on"),
    Form("matplotlib widget", "%matplotlib widget\nprint('on')", "magic.matplotlib", "on"),
    Form("matplotlib alone", "%matplotlib\nprint('on')", "magic.matplotlib", "on"),
    Form("timeit", "%timeit -n1 -r1 1 + 1", None, "loop"),
    Form("cd", "%cd /content/project\nprint('on')", "magic.cd", "There is no folder /content/project"),
    Form("!pip", "!pip install -q numpy\nprint('on')", "shell.pip", "Already installed: numpy."),
    Form("!pip missing", "!pip install no-such-package==1.0", "shell.pip", "Not installed: no-such-package"),
    Form("%pip", "%pip install torch\nprint('on')", "shell.pip", "Not installed: torch"),
    Form("!apt", "!sudo apt-get install -y graphviz", "shell.apt-get", "was skipped"),
    Form("!wget", "!wget -q https://example.invalid/a.csv\nprint('on')", "shell.wget", "no network"),
    Form("!curl in an assignment", "page = !curl https://example.invalid\nprint(len(page))", "shell.curl", "0"),
    Form("!git clone", "!git clone https://example.invalid/a.git", "shell.git", "was skipped"),
    Form("!kaggle", "!kaggle datasets download -d someone/digits", "shell.kaggle", "was skipped"),
    Form("!echo", "word = 'seven'\n!echo {word} $word", None, "seven seven"),
    Form("!echo in an assignment", "said = !echo $word\nprint(said)", None, "['seven']"),
    Form("local in !", "def tell(thing):\n    !echo {thing}\ntell('inner')", None, "inner"),
    Form("%%bash", "%%bash\npip install torch\necho from bash", "shell.pip", "from bash"),
    Form("%%shell", "%%shell\necho from shell", None, "from shell"),
    Form(
        "missing Drive file",
        "open('/content/drive/MyDrive/digits.csv')",
        "path.missing",
        "Submit 'digits.csv' together with the notebook",
        error="FileNotFoundError",
    ),
    Form(
        "missing Windows file",
        "import pandas as pd\npd.read_csv(r'C:\\Users\\me\\digits.csv')",
        "path.missing",
        "Submit 'digits.csv' together with the notebook",
        error="FileNotFoundError",
    ),
    Form("missing own file", "open('digits.csv')", None, error="FileNotFoundError"),
    Form(
        "written Drive file",
        "with open('/content/drive/MyDrive/notes.txt', 'w') as f:\n    f.write('kept')\n"
        "print(open('/content/drive/MyDrive/notes.txt').read(), open('drive/MyDrive/notes.txt').read())",
        None,
        "kept kept",
    ),
    Form(
        "np.save to Drive",
        "np.save('/content/drive/MyDrive/a.npy', np.arange(3))\nprint(np.load('/content/drive/MyDrive/a.npy').sum())",
        None,
        "3",
    ),
    Form(
        "missing Drive file that was submitted",
        "import os, time\nfrom pathlib import Path\nPath('submitted.csv').write_text('of Ann'); time.sleep(1.1)\n"
        "at = '/content/drive/MyDrive/ml/hw1/submitted.csv'\n"
        "print(open(at).read(), os.path.exists(at), os.stat(at).st_size)",
        "path.submitted.submitted.csv",
        "of Ann True 6",
    ),
    Form(
        "missing Windows file that was submitted",
        "print(Path('C:/Users/ann/submitted.csv').read_text())",
        "path.submitted.submitted.csv",
        "of Ann",
    ),
    Form(
        "folders of Kaggle",
        "os.makedirs('/kaggle/working/a/b', exist_ok=True); Path('/kaggle/working/a/b/c.txt').write_text('x')\n"
        "print(os.listdir('/kaggle/working/a'), os.listdir('a/b'), list(os.walk('/kaggle/input/digits')))\n"
        "os.rename('/kaggle/working/a/b/c.txt', '/content/d.txt'); print(Path('d.txt').exists())",
        None,
        "['b'] ['c.txt'] []\nTrue",
    ),
    Form("!ls in a platform's folder", "!ls /content/d.txt && cat /kaggle/working/d.txt", None, "d.txt"),
    Form(
        "os.chdir to a missing folder",
        "before = os.getcwd(); os.chdir('/content/drive/MyDrive/ml'); print(os.getcwd() == before)",
        "path.chdir",
        "the notebook stays in its folder. Use relative paths.\nTrue",
    ),
    Form("os.chdir to a folder", "os.chdir('a'); print(os.listdir()); os.chdir('..')", None, "['b']"),
    Form(
        "a data set in another process",
        "import subprocess, sys\ncode = 'import keras; print(keras.datasets.mnist.load_data()[0][0].shape)'\n"
        "print(subprocess.run([sys.executable, '-c', code], capture_output=True, text=True).stdout)",
        None,
        "(500, 28, 28)",
    ),
    Form(
        "a data set in a script",
        "Path('load.py').write_text('import numpy as np, tensorflow as tf, tensorflow_datasets as tfds\\n'\n"
        "  \"print(len(np.load('mnist.npz')['x_test']), tf.keras.datasets.mnist.load_data()[1][1].shape)\\n\"\n"
        "  \"print(len(tfds.load('mnist', split='train')), open('/content/drive/MyDrive/submitted.csv').read())\")\n"
        "!{sys.executable} load.py 2>/dev/null",
        None,
        "100 (100,)",
    ),
    Form(
        "an own cache of get_file",
        "import keras\n"
        "print(keras.utils.get_file('mnist.npz', origin='https://x.invalid/mnist.npz', cache_dir='/content/cache'))\n"
        "print(os.listdir('/content/cache/datasets'))",
        None,
        "['mnist.npz']",
    ),
    Form(
        "the file in Keras's cache",
        "with np.load(Path.home() / '.keras/datasets/mnist.npz') as f:\n    print(len(f['x_train']), len(f['x_test']))",
        None,
        "500 100",
    ),
    Form(
        "loadtxt",
        "print(np.loadtxt('C:\\\\data\\\\submitted.csv', dtype=str))",
        "path.submitted.submitted.csv",
        "['of' 'Ann']",
    ),
    Form(
        "a download that was submitted",
        "place = keras.utils.get_file('mine.csv', origin='https://x.invalid/submitted.csv')\nprint(open(place).read())",
        "path.submitted.submitted.csv",
        "of Ann",
    ),
    Form(
        "h5py to a Mac's disk",
        "import h5py\nwith h5py.File('/Volumes/disk/a.h5', 'w') as f:\n    f['a'] = [1, 2]\n"
        "print(h5py.File('/Volumes/disk/a.h5')['a'][:].sum())",
        "path.redirected",
        "3",
    ),
    Form("np.load mnist.npz", "print(sorted(np.load('data/mnist.npz')))", None, "x_test"),
    Form("np.load another", "np.load('other.npz')", None, error="FileNotFoundError"),
    Form(
        "window backend",
        "import matplotlib\nmatplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\n"
        "plt.switch_backend('Qt5Agg')\nplt.plot([1, 2])",
        "matplotlib.use",
        images=1,
    ),
    Form("show", "plt.plot([1, 2, 3], label='loss')\nplt.show(block=True)", None, images=1),
    Form("several figures", "plt.figure()\nplt.plot([1])\nplt.figure()\nplt.plot([2])", None, images=2),
    Form("pandas plot", "pd.Series([3, 1]).plot.bar()", None, images=1),
    Form("images in variables", "pixels = np.load('mnist.npz')['x_train'] / 255\nnoise = np.random.rand(200, 8, 8)"),
)

LOADERS = """
import keras
import tensorflow as tf
import tensorflow.keras.datasets.mnist as by_module
from keras.datasets import mnist
from tensorflow import keras as k
from tensorflow.keras.datasets.mnist import load_data
for load in (keras.datasets.mnist.load_data, tf.keras.datasets.mnist.load_data, mnist.load_data,
             by_module.load_data, k.datasets.mnist.load_data, load_data):
    (x, y), (x_test, y_test) = load(path="mnist.npz")
    assert type(x) is np.ndarray and x.shape == (500, 28, 28) and x.dtype == np.uint8
    assert y.shape == (500,) and y.dtype == np.uint8 and x_test.shape == (100, 28, 28)
x += 1
x[0] = 0
assert mnist.load_data()[0][0][0].max() > 0
print("all paths")
"""

TFDS = """
import tensorflow_datasets as tfds
(train, test), info = tfds.load("mnist:3.*.*", split=["train[:80%]", "test"], as_supervised=True, with_info=True)
image, label = next(iter(train))
assert image.shape == (28, 28, 1) and image.dtype == tf.uint8 and label.dtype == tf.int64
assert len(train) == 400 and len(test) == 100 and info.features["label"].num_classes == 10
assert info.splits["train"].num_examples == 500 and info.splits["train[:10%]"].num_examples == 50
rows = list(tfds.as_numpy(tfds.load("mnist", split="train+test")))
assert len(rows) == 600 and rows[0]["label"] == 5
images, labels = tfds.load("mnist", split="test", batch_size=-1, as_supervised=True)
assert images.shape == (100, 28, 28, 1) and sorted(tfds.load("mnist")) == ["test", "train"]
frame = tfds.as_dataframe(tfds.load("mnist", split="train[:3]"), info)
assert list(frame["label"]) == [5, 0, 4] and frame["image"][0].shape == (28, 28, 1)
tfds.show_examples(train.take(2), info, rows=1, cols=2)
import matplotlib.pyplot as plt
assert [axes.get_title() for axes in plt.gcf().axes][0] == "5 (5)"
plt.close()
print("tfds works")
"""

OPENML_ARRAYS = """
from sklearn.datasets import fetch_openml
mnist = fetch_openml("mnist_784", version=1)
assert mnist["data"][0].reshape(28, 28).shape == (28, 28) and mnist["target"][0] == "5"
assert fetch_openml("mnist_784", as_frame=True).data.shape == (600, 784)
print("openml works")
"""

OPENML = """
from sklearn.datasets import fetch_openml
plain = fetch_openml("mnist_784", version=1, as_frame=False)
assert plain.data.shape == (600, 784) and plain["target"][0] == "5"
X, y = fetch_openml("mnist_784", return_X_y=True)
assert X.columns[0] == "pixel1" and y.astype(int)[0] == 5 and str(y.dtype) == "category"
print("openml works")
"""

SAVING = """
m = keras.Sequential([keras.layers.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(10)])
m.save("/Volumes/disk/m.keras")
m.save("C:/Users/me/models/m.h5")
a = keras.models.load_model("/Volumes/disk/m.keras", compile=False)
b = keras.models.load_model("C:/Users/me/models/m.h5", compile=False)
print("loaded", a.count_params(), b.count_params())
"""

BOTH = (
    Form(
        "seeds",
        "import numpy as np, random\nprint(random.random() == random.Random(7).random(), "
        "np.random.rand() == np.random.RandomState(7).rand())",
        None,
        "True True",
    ),
    Form(
        "TensorFlow seed",
        "import tensorflow as tf\na = tf.random.uniform((3,))\ntf.random.set_seed(7)\n"
        "print(bool(tf.reduce_all(a == tf.random.uniform((3,)))))",
        None,
        "True",
    ),
    Form("load_data", LOADERS, None, "all paths"),
    Form(
        "data set of another course",
        "import keras\nkeras.datasets.cifar10.load_data()",
        error="DatasetNotProvidedError",
        says="this course provides `keras.datasets.mnist.load_data()`",
    ),
    Form(
        "get_file",
        "print(np.load(tf.keras.utils.get_file('mnist.npz', 'https://example.invalid/mnist.npz'))['y_test'].shape)",
        None,
        "(100,)",
    ),
    Form(
        "download",
        "tf.keras.utils.get_file('a.tgz', 'https://example.invalid/a.tgz')",
        "download",
        error="DownloadRefusedError",
        says="no network",
    ),
    Form("tfds", TFDS, "tensorflow_datasets", "tfds works"),
    Form("save elsewhere", SAVING, "path.redirected", "loaded 7850 7850"),
    Form(
        "GPU that is not there", "with tf.device('/GPU:0'):\n    print(float(tf.reduce_sum(tf.ones(3))))", None, "3.0"
    ),
)

KERAS3 = (
    *BOTH,
    Form("openml", OPENML, None, "openml works"),
    Form("own Keras", "print(keras.__version__[0], keras.layers.Conv2D is tf.keras.layers.Conv2D)", None, "3 True"),
    Form("lr", "keras.optimizers.Adam(lr=0.01)", None, error="ValueError", says="lr"),
    Form("np_utils", "from keras.utils import np_utils", None, error="ImportError"),
)


def _moved(name: str, code: str, form: str) -> Form:
    return Form(name, f"{code}\nprint('found')", form, "found")


KERAS2 = (
    *BOTH,
    Form("openml", OPENML_ARRAYS, None, "openml works"),
    Form("one Keras", "import tf_keras\nprint(keras is tf_keras, keras.__version__[:2])", None, "True 2."),
    Form(
        "one Conv2D",
        "from keras.layers import Conv2D\nprint(Conv2D is tf.keras.layers.Conv2D is tf_keras.layers.Conv2D)",
        None,
        "True",
    ),
    Form(
        "one spec",
        "import sys\nprint(keras.__spec__.name, sys.modules['keras.layers'] is keras.layers)",
        None,
        "tf_keras True",
    ),
    _moved("core", "from keras.layers.core import Dense, Dropout, Flatten", "moved.layers.core"),
    _moved(
        "convolutional", "from keras.layers.convolutional import Conv2D, MaxPooling2D", "moved.layers.convolutional"
    ),
    _moved("normalization", "from keras.layers.normalization import BatchNormalization", "moved.layers.normalization"),
    _moved("advanced", "from keras.layers.advanced_activations import LeakyReLU", "moved.layers.advanced_activations"),
    _moved(
        "np_utils",
        "from keras.utils import np_utils\nassert np_utils.to_categorical([1], 2).shape == (1, 2)",
        "moved.utils.np_utils",
    ),
    _moved("vis_utils", "from keras.utils.vis_utils import plot_model", "moved.utils.vis_utils"),
    _moved(
        "star",
        "from keras.layers.pooling import *\nassert MaxPooling2D is keras.layers.MaxPooling2D",
        "moved.layers.pooling",
    ),
    _moved(
        "engine", "from keras.engine.training import Model\nassert Model is tf.keras.Model", "moved.engine.training"
    ),
    _moved(
        "private",
        "from tensorflow.python.keras.layers import Dense\nassert Dense is keras.layers.Dense",
        "moved.private",
    ),
    _moved("private name", "from tensorflow.python import keras as pk\nassert pk is keras", "moved.private"),
    _moved(
        "first API",
        "from tensorflow._api.v1.keras.models import Sequential\nassert Sequential is keras.Sequential",
        "moved.private",
    ),
    Form("preprocessing", "from keras.preprocessing.image import ImageDataGenerator\nprint('found')", None, "found"),
    Form("backend", "from keras import backend as K\nprint(K.image_data_format())", None, "channels_last"),
    Form("no such module", "import keras.nonsense", None, error="ModuleNotFoundError", says="keras.nonsense"),
    Form("lr", "print(float(keras.optimizers.SGD(lr=0.25, momentum=0.9).learning_rate))", "optimizer.lr", "0.25"),
    Form(
        "lr of a subclass",
        "class Mine(keras.optimizers.Adam):\n    pass\nprint(float(Mine(lr=0.5).learning_rate))",
        "optimizer.lr",
        "0.5",
    ),
    Form(
        "lr trains",
        "m.compile(keras.optimizers.SGD(lr=0.125), 'mse')\nprint(m.optimizer.get_config()['learning_rate'])",
        "optimizer.lr",
        "0.125",
    ),
    Form(
        "learning_rate",
        "print(float(keras.optimizers.Adam(learning_rate=0.5).learning_rate), float(keras.optimizers.Adam(0.5).lr))",
        None,
        "0.5 0.5",
    ),
    Form("legacy lr", "print(float(keras.optimizers.legacy.SGD(lr=0.5).learning_rate))", None, "0.5"),
)

RUNS = {
    "plain": ("keras3", PLAIN),
    "keras3": ("keras3", KERAS3),
    "keras2": ("keras2", KERAS2),
}


class Ran:
    """Result of one run of forms."""

    def __init__(self, forms: tuple[Form, ...], results: list[dict[str, Any]], events: list[dict[str, Any]]) -> None:
        self._cells = {form.name: number for number, form in enumerate(forms, 1)}
        self._results = results
        self._events = events

    def result(self, name: str) -> dict[str, Any]:
        return self._results[self._cells[name] - 1]

    def events(self, kind: str, name: str | None = None) -> list[dict[str, Any]]:
        cell = None if name is None else self._cells[name]
        return [event for event in self._events if event["kind"] == kind and cell in {None, event["cell"]}]


def _write_data(folder: Path) -> None:
    folder.mkdir(parents=True)
    with np.load(ROOT / "datasets/files/mnist.npz") as archive:
        parts = {f"{part}_{split}": archive[f"{part}_{split}"][:rows] for split, rows in ROWS.items() for part in "xy"}
    for name, array in parts.items():
        np.save(folder / f"{name}.npy", array)
    np.save(folder / "fingerprints.npy", np.concatenate([fingerprint(parts["x_train"]), fingerprint(parts["x_test"])]))


def _run(folder: Path, dialect: str, forms: tuple[Form, ...], *, tensorflow: bool = False) -> Ran:
    _write_data(folder / "data/mnist")
    for name in ("out", "work", "home", "tmp"):
        (folder / name).mkdir()
    session = {
        "version": 1, "out": str(folder / "out"), "data": str(folder / "data"), "datasets": ["mnist"],
        "dialect": dialect, "seed": 7, "fit_time": 60, "deadline": time.time() + 600, "reserve": 5,
        "max_models_mib": 50, "max_output_kib": 64, "graded_dataset": "mnist",
        "openml_frames": dialect == "keras3",
    }  # fmt: skip
    (folder / "session.json").write_text(json.dumps(session), encoding="utf-8")
    request = {
        "inside": str(inside_alone()),
        "session": str(folder / "session.json"),
        "results": str(folder / "results.json"),
        "cells": [form.code for form in forms],
    }
    (folder / "request.json").write_text(json.dumps(request), encoding="utf-8")
    own = {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    environment = {"PATH": "/usr/bin:/bin", "TF_CPP_MIN_LOG_LEVEL": "3", **own}
    words = [str(DRIVER), str(folder / "request.json")]
    if tensorflow:
        ran = forked_python(dialect, words, environment, folder / "work")
    else:
        ran = subprocess.run(
            [sys.executable, *words], cwd=folder / "work", env=environment, capture_output=True, text=True, check=False
        )
    assert ran.returncode == 0, ran.stderr[-4000:]
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    lines = (folder / "out/events.jsonl").read_text(encoding="utf-8").splitlines()
    return Ran(forms, results, [json.loads(line) for line in lines])


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ran]:
    """Runs, made at the first request, each in its own process."""

    class Made(dict[str, Ran]):
        def __missing__(self, name: str) -> Ran:
            self[name] = _run(tmp_path_factory.mktemp(name), *RUNS[name], tensorflow=name != "plain")
            return self[name]

    return Made()


ROWS_OF_THE_TABLE = [
    pytest.param(run, form, id=f"{run}-{form.name}", marks=() if run == "plain" else pytest.mark.tensorflow)
    for run, (_, forms) in RUNS.items()
    for form in forms
]


@pytest.mark.parametrize(("run", "form"), ROWS_OF_THE_TABLE)
def test_a_form_has_its_expected_effect(runs: dict[str, Ran], run: str, form: Form) -> None:
    result = runs[run].result(form.name)
    output = re.sub(r"\x1b\[[0-9;]*m", "", result["output"])
    name, message = result["error"] or (None, "")
    assert name == form.error, output
    assert form.says in message
    assert form.shows in output
    assert result["images"] == form.images
    told = [event["form"] for event in runs[run].events("emulated", form.name)]
    assert told == [] if form.event is None else form.event in told
    assert len(told) == len(set(told))


@pytest.mark.parametrize("name", ["input", "upload", "missing Drive file", "missing own file", "np.load another"])
def test_the_graders_own_code_is_not_in_a_students_traceback(runs: dict[str, Ran], name: str) -> None:
    output = re.sub(r"\x1b\[[0-9;]*m", "", runs["plain"].result(name)["output"])
    assert "----> " in output
    assert "/inside/" not in output


def test_a_drawn_figure_is_recorded_once_with_its_lines(runs: dict[str, Ran]) -> None:
    figures = [event["figure"] for event in runs["plain"].events("figure", "show")]
    assert [[line["y"] for line in axes["lines"]] for figure in figures for axes in figure["axes"]] == [
        [[1.0, 2.0, 3.0]]
    ]
    assert figures[0]["axes"][0]["lines"][0]["label"] == "loss"
    assert len(runs["plain"].events("figure", "several figures")) == 2
    assert runs["plain"].events("figure", "pandas plot")[0]["figure"]["axes"][0]["bars"] == 2


def test_a_served_file_is_a_dataset_event_and_a_missing_one_is_not(runs: dict[str, Ran]) -> None:
    served = runs["plain"].events("dataset", "np.load mnist.npz")
    assert [(event["dataset"], event["via"], event["served"]) for event in served] == [("mnist", "numpy.load", True)]
    assert runs["plain"].events("dataset", "np.load another") == []


def test_image_arrays_bound_at_the_end_are_listed_with_the_split_they_came_from(runs: dict[str, Ran]) -> None:
    (event,) = runs["plain"].events("arrays")
    arrays = {item["name"]: item for item in event["arrays"]}
    assert arrays["pixels"]["rows_of"] == "mnist/train"
    assert arrays["pixels"]["high"] == 1.0
    assert arrays["noise"]["rows_of"] is None
    assert arrays["noise"]["shape"] == [200, 8, 8]


@pytest.mark.tensorflow
def test_a_refused_data_set_is_recorded_as_not_served(runs: dict[str, Ran]) -> None:
    (event,) = runs["keras3"].events("dataset", "data set of another course")
    assert event["dataset"] == "cifar10"
    assert event["served"] is False
    assert "mnist" in event["detail"]


@pytest.mark.tensorflow
def test_every_way_of_loading_is_recorded_with_its_call(runs: dict[str, Ran]) -> None:
    via = {event["via"] for event in runs["keras3"].events("dataset") if event["served"]}
    assert via == {
        "keras.datasets.mnist.load_data",
        "keras.utils.get_file",
        "sklearn.datasets.fetch_openml",
        "tensorflow_datasets.load",
    }
