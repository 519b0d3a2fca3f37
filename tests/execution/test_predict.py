"""The predictor's sandbox, with NumPy code in place of untrusted models."""

import os
import shutil
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from grader.execution.predict import PredictionJob, PredictionLimits, PredictionResult, predict
from grader.execution.sandbox import layout
from grader.execution.sandbox.isolation import Isolation
from grader.execution.sandbox.load import Load
from grader.execution.sandbox.processes import Finished, run_to_end
from grader.execution.sandbox.refusals import RefusedCall, explain_refusals
from grader.facts.language import english
from grader.facts.system_calls import MACHINES, system_calls
from grader.schema.errors import PredictorError
from tests.support.says import ids, says
from tests.support.waiting import DEADLOCK_SECONDS

pytestmark = pytest.mark.bubblewrap
ROWS = 7
Predict = Callable[..., list[PredictionResult]]

STAND_IN = """
    import io, json, os, struct, sys, time
    import numpy as np
    request = json.load(open(sys.argv[1]))

    def encoded(array, **more):
        content = io.BytesIO()
        np.save(content, array, **more)
        return content.getvalue()

    def send(line, content=b""):
        if request["socket"]:
            os.write(0, struct.pack(">II", len(line), len(content)) + line + content)
            return
        if content and not os.path.lexists(place): open(place, "wb").write(content)
        with open(os.path.join(request["out"], "results.jsonl"), "ab") as results:
            results.write(line + b"\\n")

    for job in request["jobs"]:
        x, place = np.load(job["inputs"]), os.path.join(request["out"], job["id"] + ".npy")
        answer = {"id": job["id"], "ok": True, "error": None, "model": {"id": "m"}, "seconds": 0.5}
        good = np.stack([x.sum(axis=(1, 2)), x.max(axis=(1, 2))], axis=1).astype("float32")
        content = encoded(good)
        exec(open(job["model"]).read())
        send(json.dumps(answer).encode(), content)
"""


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, isolation: Isolation) -> Predict:
    """Run "models", each a piece of code that the replaced predictor executes."""
    package = tmp_path / "stand-in"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "predictor.py").write_text(textwrap.dedent(STAND_IN))
    shutil.copyfile(layout._INSIDE / "calls.py", package / "calls.py")
    monkeypatch.setattr(layout, "_INSIDE", package)
    images = np.arange(ROWS * 4, dtype="float32").reshape(ROWS, 2, 2)
    np.save(tmp_path / "x.npy", images)

    def run(*models: str, **settings: Any) -> list[PredictionResult]:
        jobs = []
        for number, code in enumerate(models):
            path = tmp_path / f"model-{number}.keras"
            path.write_text(code)
            jobs.append(PredictionJob(f"m{number}", path, "keras", "keras3", tmp_path / "x.npy"))
        return predict(
            jobs, isolation=isolation, scratch=tmp_path / "scratch", **{"timeout": DEADLOCK_SECONDS, **settings}
        )

    return run


@pytest.mark.parametrize("isolation", ["bubblewrap", "bubblewrap-userns", "none"], indirect=True)
def test_refused_calls_of_a_model_are_reported_and_cost_nothing(ask: Predict, isolation: Isolation) -> None:
    number = system_calls()["mount"].numbers[os.uname().machine] if os.uname().machine in MACHINES else 0
    asks = f"import ctypes; refused = [ctypes.CDLL(None).syscall({number}, 0, 0, 0, 0, 0) for _ in range(2)]"
    refused: list[RefusedCall] = []
    results = ask(f"{asks}\nos._exit(3)", f"{asks}\nanswer['seconds'] = -refused[0]", on_refused=refused.extend)
    assert [result.ok for result in results] == [False, True]
    if isolation.for_notebook(()).call_filters is None:
        assert not refused
        return
    assert results[1].seconds == 1
    if not refused:
        pytest.skip("another listener is installed, as in some containers")
    assert {(call.name, call.count, call.cell) for call in refused} == {("mount", 2, None)}
    (remark,) = explain_refusals(refused)
    assert all(
        word in english(remark) for word in ("`mount`", "4 times", "in the predictor", "a saved model or a library")
    )


@pytest.mark.parametrize("isolation", ["bubblewrap", "bubblewrap-userns", "none"], indirect=True)
def test_predictions_come_back_as_numbers(ask: Predict) -> None:
    (result,) = ask("pass")
    assert result.ok
    assert result.outputs is not None
    assert result.outputs.dtype == np.float32
    assert result.outputs[:, 1].tolist() == [4.0 * n + 3 for n in range(ROWS)]
    assert result.model == {"id": "m"}
    assert result.seconds == 0.5


ONE = pytest.mark.parametrize("isolation", ["bubblewrap"], indirect=True)


@ONE
def test_a_crash_loses_only_its_own_job(ask: Predict) -> None:
    results = ask("pass", "os._exit(139)", "pass", "os.abort()", "pass")
    assert [result.ok for result in results] == [True, False, True, False, True]
    assert says(results[1].error, "the model crashed the predictor (exit code {code:raw})", code=139)


@ONE
def test_a_model_that_fails_is_no_failure_of_the_grader(ask: Predict) -> None:
    first, second = ask('answer.update(ok=False, error="ValueError: unknown layer")', "pass")
    assert (first.ok, first.error) == (False, "ValueError: unknown layer")
    assert second.ok


@ONE
@pytest.mark.slow
def test_an_endless_model_is_given_up_and_the_rest_goes_on(ask: Predict, marks: list[str]) -> None:
    first, second = ask("while True: pass", "pass", timeout=8)
    assert says(first.error, "the model made no predictions within {limit:seconds}")
    assert second.ok
    assert marks


@ONE
def test_a_model_that_eats_memory_is_given_up(ask: Predict, marks: list[str]) -> None:
    code = "held = []\nwhile True: held.append(b'x' * (8 << 20))"
    (result,) = ask(code, limits=PredictionLimits(memory_bytes=300 << 20))
    assert says(result.error, "the prediction was stopped: {excess}")
    assert says(result.error, "it used more than {limit:size} of memory", limit=300 << 20)
    assert marks


CHEATS = {
    "a pickle": 'content = encoded(np.array([{"a": 1}] * 7, dtype=object), allow_pickle=True)',
    "too few rows": "content = encoded(good[:3])",
    "too many columns": 'content = encoded(np.zeros((7, 1001), "float32"))',
    "three axes": 'content = encoded(np.zeros((7, 1, 1), "float32"))',
    "doubles": 'content = encoded(good.astype("float64"))',
    "no array": 'content = b"nothing"',
    "a header that lies": (
        "header = io.BytesIO(); np.lib.format.write_array_header_1_0(header, "
        '{"descr": "<f4", "fortran_order": False, "shape": (7, 10)}); content = header.getvalue()'
    ),
    "a header with a giant shape": (
        "header = io.BytesIO(); np.lib.format.write_array_header_1_0(header, "
        '{"descr": "<f4", "fortran_order": False, "shape": (7, 10**15)}); content = header.getvalue()'
    ),
}
FILES = {
    "a link": 'os.symlink("/etc/hostname", place)',
    "a pipe": "os.mkfifo(place)",
    "a giant file": 'open(place, "wb").truncate(1 << 29)',
}


@pytest.fixture
def by_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the answers be files, as in a container."""
    monkeypatch.setattr("grader.execution.predict._BY_FILES", {"bubblewrap"})


def refused(ask: Predict, cheats: dict[str, str]) -> None:
    results = ask(*cheats.values(), "pass")
    errors = {name: result.error for name, result in zip(cheats, results, strict=False) if not result.ok}
    assert set(errors) == set(cheats)
    assert all(ids(error) == ["the predictions cannot be read ({error})"] for error in errors.values())
    assert results[-1].ok


@ONE
def test_predictions_that_are_not_what_they_should_be_are_not_trusted(ask: Predict) -> None:
    refused(ask, CHEATS)


@ONE
@pytest.mark.usefixtures("by_files")
def test_predictions_in_files_are_not_trusted_either(ask: Predict) -> None:
    refused(ask, CHEATS | FILES)


GARBAGE = ["[1]", "nonsense", '{"id": 5}', "[" * 99_999]


@ONE
def test_garbage_among_the_answers_is_passed_over(ask: Predict) -> None:
    code = f"for line in {GARBAGE!r}: send(line.encode())"
    assert [result.ok for result in ask(code, "pass")] == [True, True]


@ONE
@pytest.mark.usefixtures("by_files")
def test_garbage_in_the_file_of_answers_is_passed_over(ask: Predict) -> None:
    code = f"for line in {GARBAGE!r}: send(line.encode())"
    assert [result.ok for result in ask(code, "pass")] == [True, True]


@ONE
def test_files_are_no_answers(ask: Predict) -> None:
    forged = """
line = json.dumps(answer | {"seconds": 9.0}).encode()
request["socket"] = False
send(line, encoded(good * 0))
request["socket"] = True
for path in ("/proc/self/fd/0", "/dev/stdin", f"/proc/{os.getpid()}/fd/0"):
    try: open(path, "wb").write(b"forged"); answer["model"] = {"opened": path}
    except OSError: pass
"""
    (result,) = ask(forged)
    assert (result.ok, result.seconds, result.model) == (True, 0.5, {"id": "m"})
    assert result.outputs is not None
    assert result.outputs.any()


@ONE
@pytest.mark.parametrize(
    "sent",
    [
        "struct.pack('>II', 1 << 31, 1 << 31)",
        "struct.pack('>II', 5, 1 << 31) + b'{}   '",
        "b'short'",
        "bytes(1 << 27)",
    ],
    ids=["a giant line", "giant predictions", "no header", "a flood"],
)
def test_a_damaged_stream_of_answers_ends_the_job(ask: Predict, sent: str) -> None:
    code = f"import signal; left = memoryview({sent})\nwhile left: left = left[os.write(0, left):]\nos._exit(3)"
    first, second = ask(code, "pass")
    assert (first.ok, second.ok) == (False, True)
    assert says(first.error, "the model crashed the predictor (exit code {code:raw})")


@ONE
def test_the_predictor_sees_no_submission_no_labels_and_no_network(ask: Predict) -> None:
    look = """
import socket
try: socket.create_connection(("192.0.2.1", 80), timeout=2); net = "open"
except OSError: net = "closed"
def refused(path):
    try: open(path, "a"); return False
    except OSError: return True
answer["model"] = {"root": sorted(os.listdir("/")), "given": sorted(os.listdir("/given")),
                   "home": os.listdir("/home/student"),
                   "net": net, "read_only": refused(job["inputs"]) and refused(job["model"])}
"""
    (result,) = ask(look)
    assert result.model is not None
    assert result.model["given"] == ["0.keras", "0.npy"]
    assert "data" not in result.model["root"]
    assert result.model["home"] == []
    assert result.model["net"] == "closed"
    assert result.model["read_only"]


@ONE
def test_a_predictor_that_is_missing_is_the_graders_failure(ask: Predict) -> None:
    with pytest.raises(PredictorError, match="did not start"):
        ask("pass", module="inside.no_such_module")


@ONE
def test_images_that_cannot_be_read_are_the_graders_failure(ask: Predict, tmp_path: Path) -> None:
    os.truncate(tmp_path / "x.npy", 5)
    with pytest.raises(PredictorError, match="images"):
        ask("pass")


@ONE
def test_two_jobs_with_one_id_are_refused(isolation: Isolation, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.zeros((2, 2, 2), "float32"))
    job = PredictionJob("m", tmp_path / "m.keras", "keras", "keras3", tmp_path / "x.npy")
    with pytest.raises(PredictorError, match="ids"):
        predict([job, job], isolation=isolation, scratch=tmp_path / "s")


@ONE
@pytest.mark.parametrize(("share", "calls"), [(0.4, 3), (1.0, 2)])
def test_a_job_that_timed_out_on_a_busy_machine_is_tried_once_more(
    ask: Predict, monkeypatch: pytest.MonkeyPatch, share: float, calls: int
) -> None:
    real, made = run_to_end, []
    cpu = 10 * share
    busy = Load(10.0, 1, cpu_seconds=cpu, waited_seconds=10 - cpu, others_seconds=10 - cpu)

    def slow(*args: Any, **kwargs: Any) -> Finished:
        made.append(1)
        if len(made) < calls:
            return Finished(137, timed_out=True, over_budget=None, seconds=10.0, peak_mib=1.0, load=busy)
        return real(*args, **kwargs)

    monkeypatch.setattr("grader.execution.predict.run_to_end", slow)
    first, second = ask("pass", "pass")
    assert (first.ok, second.ok, len(made)) == (False, True, calls)
    assert says(first.error, "the model made no predictions within {limit:seconds}", limit=10)


@pytest.mark.parametrize("isolation", ["none"], indirect=True)
@pytest.mark.parametrize(
    ("claimed", "read"),
    [
        pytest.param([("digit", [1], 0), ("odd", [1], 1)], [("digit", (1,), 0), ("odd", (1,), 1)], id="two outputs"),
        pytest.param(
            [("digit", [2], 0), ("image", [64, 64], None)],
            [("digit", (2,), 0), ("image", (64, 64), None)],
            id="an output that is left out",
        ),
        pytest.param([("image", [2, 1], 0)], [("image", (2, 1), 0)], id="one output"),
        pytest.param([("digit", [1], 0)], [], id="too few columns"),
        pytest.param([("digit", [1], 1), ("odd", [1], 0)], [], id="in another order"),
        pytest.param([("digit", [-1], 0), ("odd", [3], 0)], [], id="no shape"),
        pytest.param([(3, [2], 0)], [], id="no name"),
        pytest.param("digit", [], id="no list"),
    ],
)
def test_claimed_outputs_are_read_if_they_divide_the_columns(ask: Predict, claimed: Any, read: list[Any]) -> None:
    keys = ("name", "shape", "start")
    outputs = claimed if isinstance(claimed, str) else [dict(zip(keys, part, strict=True)) for part in claimed]
    (result,) = ask(f"answer['outputs'] = {outputs!r}")
    assert result.ok
    assert [(part.name, part.shape, part.start) for part in result.parts] == read


@pytest.mark.parametrize("isolation", ["none"], indirect=True)
@pytest.mark.parametrize(
    ("claimed", "read"),
    [
        (["conv", "drop"], ("conv", "drop")),
        ([3, None, "x" * 999], ("x" * 200,)),
        (["a"] * 999, ("a",) * 200),
        ({"conv": 1}, ()),
        ("conv", ()),
        (None, ()),
    ],
    ids=["names", "other things", "many", "no list", "text", "nothing"],
)
def test_claimed_layers_without_influence_are_names(ask: Predict, claimed: Any, read: tuple[str, ...]) -> None:
    (result,) = ask(f"answer['idle'] = {claimed!r}")
    assert result.ok
    assert result.idle == read
