"""The constructors of a finding."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.schema.base import Assurance, Pointer
from grader.schema.grade import Finding


@pytest.mark.parametrize(
    ("finding", "status", "fraction"),
    [
        (Finding.passed("all"), "passed", 1.0),
        (Finding.partial("half", 0.5), "partial", 0.5),
        (Finding.failed("none"), "failed", 0.0),
        (Finding.pending("who knows"), "pending", 0.0),
    ],
)
def test_each_verdict_has_a_constructor(finding: Finding, status: str, fraction: float) -> None:
    assert (finding.status, finding.fraction) == (status, fraction)


@given(st.floats(0, 1))
def test_a_fraction_of_the_points_decides_the_verdict(fraction: float) -> None:
    finding = Finding.scored("so much", fraction)
    assert finding.fraction == fraction
    assert finding.status == ("passed" if fraction == 1 else "failed" if fraction == 0 else "partial")


def test_the_other_fields_are_given_by_name() -> None:
    finding = Finding.failed(
        "none", advice="begin", assurance=Assurance.RECORDED, measured={"seen": 0}, evidence=(Pointer(cell=3),)
    )
    assert finding.model_dump(exclude_defaults=True) == {
        "status": "failed",
        "message": "none",
        "advice": "begin",
        "assurance": Assurance.RECORDED,
        "measured": {"seen": 0},
        "evidence": ({"cell": 3},),
    }
