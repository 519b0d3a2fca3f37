"""Former names of IPython and packages that notebooks import, in a real IPython shell."""

import pytest

from tests.support.shell_forms import Form, Ran, has_its_effect, run_forms, runs

FORMS = (
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


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All forms, run in one process."""
    return run_forms(tmp_path_factory.mktemp("ipython_names"), FORMS)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_cell_has_its_expected_effect(ran: Ran, form: Form) -> None:
    has_its_effect(ran, form)
