"""Checks of the machine in cells, in a real IPython shell."""

import pytest

from tests.support.shell_forms import Form, Ran, has_its_effect, run_forms, runs

PRINT_ON = "\nprint('on')"


def skips(name: str, code: str) -> Form:
    """Return a cell whose environment check is skipped, and whose other statements run."""
    return Form(name, code + PRINT_ON, "environment.check", "checks the machine")


FORMS = (
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


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All forms, run in one process."""
    return run_forms(tmp_path_factory.mktemp("environment_checks"), FORMS)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_cell_has_its_expected_effect(ran: Ran, form: Form) -> None:
    has_its_effect(ran, form)
