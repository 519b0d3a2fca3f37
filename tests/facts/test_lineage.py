"""One work in several objects is told by files, clones and the weights that trainings began with."""

from typing import Any

import pytest

from grader.facts.lineage import Lineage, descendants, predecessors, with_past
from grader.schema.evidence import Evidence, SaveFact
from tests.support.factories import a_compile, a_fit, a_model, a_run

ALL = {"m1", "m2", "m3"}


def save(event: int, action: str, model: str, **keys: Any) -> SaveFact:
    return SaveFact.model_validate({"event": event, "cell": 1, "action": action, "model": model} | keys)


def stage(event: int, model: str, before: str, after: str, layer: str = "a", **keys: Any) -> Any:
    return a_fit(event=event, model=model, digests_before={layer: before}, digests_after={layer: after}, **keys)


FITS = (stage(2, "m1", "0", "1"), stage(8, "m2", "1", "2"))
SAVES = (
    save(4, "save", "m1", path="a.keras"),
    save(6, "load", "m2", path="a.keras", digests={"a": "1"}),
)


def made(*fits: Any, saves: tuple[SaveFact, ...] = SAVES) -> Evidence:
    models = tuple(a_model(model_id=name) for name in sorted(ALL))
    compiles = (a_compile(event=1, model="m1"), a_compile(event=7, model="m2"))
    return Evidence(run=a_run(), models=models, compiles=compiles, fits=fits or FITS, saves=saves)


def test_what_was_saved_loaded_and_trained_further_continues() -> None:
    assert predecessors(made(), "m2", ALL) == ("m1",)
    assert predecessors(made(), "m1", ALL) == ()


def test_only_those_that_can_be_an_earlier_stage_are_one() -> None:
    assert predecessors(made(), "m2", {"m2"}) == ()


def test_stages_are_followed_to_the_first() -> None:
    saves = (*SAVES, save(10, "save", "m2", path="a.keras"), save(12, "load", "m3", path="a.keras"))
    evidence = made(*FITS, stage(14, "m3", "2", "3"), saves=saves)
    assert predecessors(evidence, "m3", ALL) == ("m2", "m1")


def test_a_checkpoint_that_was_loaded_continues_what_wrote_it() -> None:
    saves = (save(3, "save", "m1", path="best"), save(6, "load", "m2", path="best", digests={"a": "0.5"}))
    assert predecessors(made(FITS[0], stage(8, "m2", "0.5", "2"), saves=saves), "m2", ALL) == ("m1",)


@pytest.mark.parametrize(
    ("fits", "saves"),
    [
        pytest.param((*FITS, stage(9, "m1", "1", "5")), SAVES, id="the saved one went on too"),
        pytest.param((FITS[0], stage(8, "m2", "7", "8")), SAVES, id="other weights"),
        pytest.param((FITS[0], stage(8, "m2", "1", "2", layer="b")), SAVES, id="other layers"),
        pytest.param(FITS, (save(1, "save", "m1", path="a.keras"), SAVES[1]), id="saved before it had learned"),
        pytest.param(FITS, SAVES[1:], id="a file of the course"),
        pytest.param(FITS, (*SAVES, save(7, "set_weights", "m2", other="m3")), id="weights of another afterwards"),
        pytest.param(FITS, (SAVES[0], save(9, "load_weights", "m2", path="a.keras")), id="loaded after its training"),
        pytest.param((FITS[0],), SAVES, id="never trained further"),
    ],
)
def test_what_only_looks_like_it_is_a_work_of_its_own(fits: Any, saves: Any) -> None:
    assert predecessors(made(*fits, saves=saves), "m2", ALL) == ()


def rewrapped(*fits: Any) -> Evidence:
    models = (a_model(model_id="m1"), a_model(model_id="m2", shares_layers_with=("m1",)), a_model(model_id="m3"))
    return made(*fits, saves=()).model_copy(update={"models": models})


def test_a_new_model_of_the_same_layers_continues_the_model_that_was_trained_before() -> None:
    assert predecessors(rewrapped(), "m2", ALL) == ("m1",)
    assert predecessors(rewrapped(), "m1", ALL) == ()


@pytest.mark.parametrize(
    "fits",
    [
        pytest.param((FITS[0], stage(8, "m2", "7", "8")), id="new weights"),
        pytest.param((FITS[0], a_fit(event=8, model="m2", digests_before={"a": "1", "b": "3"})), id="a new layer"),
        pytest.param((*FITS, stage(9, "m1", "2", "3")), id="the other one went on too"),
        pytest.param((FITS[0], stage(8, "m3", "1", "2")), id="no common layer"),
        pytest.param((a_fit(event=2, model="m1"), a_fit(event=8, model="m2")), id="unknown weights"),
    ],
)
def test_a_model_with_other_layers_or_weights_is_a_work_of_its_own(fits: Any) -> None:
    assert predecessors(rewrapped(*fits), "m2", ALL) == predecessors(rewrapped(*fits), "m3", ALL) == ()


def test_the_past_of_a_network_becomes_its_own() -> None:
    evidence = made()
    past = with_past(evidence, "m2", ALL)
    assert [fit.model for fit in past.fits] == [compiled.model for compiled in past.compiles] == ["m2", "m2"]
    assert with_past(evidence, "m1", ALL) is evidence


def test_clones_copies_and_what_was_loaded_descend_from_a_network_and_so_do_theirs() -> None:
    saves = (
        *SAVES,
        save(9, "clone", "m3", other="m2"),
        save(10, "set_weights", "m4", other="m3"),
        save(11, "set_weights", "m5"),
        save(12, "load", "m6", path="of the course.keras"),
    )
    assert descendants(made(saves=saves), {"m1"}) == {"m2", "m3", "m4"}


def test_each_network_of_a_long_chain_is_looked_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = tuple(stage(10 * i, f"m{i}", str(i), str(i + 1)) for i in range(1, 101))
    saves = tuple(
        fact
        for i in range(1, 101)
        for fact in (
            save(10 * i - 1, "load", f"m{i}", path="a.keras", digests={"a": str(i)}),
            save(10 * i + 1, "save", f"m{i}", path="a.keras"),
        )
    )
    looked: list[str] = []
    real = Lineage._find_continued

    def find(self: Lineage, model_id: str) -> str | None:
        looked.append(model_id)
        return real(self, model_id)

    monkeypatch.setattr(Lineage, "_find_continued", find)
    lineage = Lineage(made(*fits, saves=saves))
    ids = {fit.model for fit in fits}
    stages = [lineage.predecessors(fit.model, ids) for fit in fits]
    assert stages[1] == ("m1",)
    assert len(stages[-1]) == 40
    assert sorted(looked) == sorted(ids)
