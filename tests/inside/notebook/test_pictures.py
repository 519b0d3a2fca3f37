"""Pictures that are missing, in a real IPython shell."""

import pytest

from tests.support.shell_forms import Form, Ran, has_its_effect, run_forms, runs

FORMS = (
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


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All forms, run in one process."""
    return run_forms(tmp_path_factory.mktemp("pictures"), FORMS)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_cell_has_its_expected_effect(ran: Ran, form: Form) -> None:
    has_its_effect(ran, form)
