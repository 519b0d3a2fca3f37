"""Unknown magics, in a real IPython shell."""

import pytest

from tests.support.shell_forms import Form, Ran, has_its_effect, run_forms, runs

FORMS = (
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


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """All forms, run in one process."""
    return run_forms(tmp_path_factory.mktemp("magics"), FORMS)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_cell_has_its_expected_effect(ran: Ran, form: Form) -> None:
    has_its_effect(ran, form)
