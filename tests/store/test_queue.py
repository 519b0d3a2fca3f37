"""The queue of uploads is on the disk: nothing is lost, nothing is graded twice, and no id is a path."""

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grader.schema.errors import UsageError
from grader.store.queue import KeyReusedError, Queue, QueueFullError, Ticket, is_ticket_id


def a_queue(root: Path, most: int = 10) -> Queue:
    return Queue(root, most=most, clock=lambda: 1000.5)


def add(queue: Queue, content: str = "a", *, student: str = "ada", rubric: str = "r", key: str | None = None) -> Ticket:
    upload = queue.new_upload()
    upload.write_text(content, encoding="utf-8")
    sha256 = hashlib.sha256(content.encode()).hexdigest()
    ticket = queue.add(upload, rubric=rubric, student=student, sha256=sha256, key=key)
    assert not upload.exists()
    return ticket


def test_notebooks_are_taken_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    tickets = [add(queue, word) for word in "abc"]
    assert [queue.position(ticket) for ticket in tickets] == [1, 2, 3]
    assert [queue.notebook(ticket).read_text() for ticket in tickets] == ["a", "b", "c"]
    taken = [queue.take(["r"]) for _ in "abcd"]
    assert [one and one.id for one in taken] == [*(ticket.id for ticket in tickets), None]
    assert queue.counts() == {"queued": 0, "running": 3, "done": 0}


def test_the_same_notebook_of_the_same_student_is_the_same_ticket(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    first = add(queue)
    assert add(queue) == first
    assert len({first.id, add(queue, student="ben").id, add(queue, rubric="s").id, add(queue, "b").id}) == 4
    taken = queue.take(["r"])
    assert taken is not None
    assert add(queue).state == "running"
    queue.finish(taken, "graded")
    assert add(queue).state == "done"


def test_a_notebook_that_was_not_graded_waits_again_when_it_is_sent_again(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    add(queue)
    taken = queue.take(["r"])
    assert taken is not None
    queue.finish(taken, "not_graded")
    again = add(queue)
    assert (again.id, again.state, again.tries) == (taken.id, "queued", 0)


def test_a_key_names_one_notebook(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    first = add(queue, key="k")
    assert add(queue, key="k") == first
    with pytest.raises(KeyReusedError):
        add(queue, "another", key="k")


def test_a_full_queue_refuses_new_notebooks_only(tmp_path: Path) -> None:
    queue = a_queue(tmp_path, most=1)
    first = add(queue)
    with pytest.raises(QueueFullError):
        queue.check_length()
    with pytest.raises(QueueFullError):
        add(queue, "b")
    assert add(queue) == first
    queue.take(["r"])
    assert add(queue, "b").state == "queued"


def test_a_new_start_takes_over_what_was_running(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    first, second = add(queue), add(queue, "b")
    queue.take(["r"])
    (queue.notebook(first).parent / "0.ipynb").write_text("no ticket", encoding="utf-8")
    queue.new_upload().write_text("incomplete", encoding="utf-8")
    later = a_queue(tmp_path)
    with later.at_work():
        assert not list((tmp_path / ".serve" / "incoming").iterdir())
        assert {path.stem for path in (tmp_path / ".serve" / "uploads").iterdir()} == {first.id, second.id}
        taken = later.take(["r"])
        assert taken is not None
        # The first one is first again, and its earlier try counts.
        assert (taken.id, taken.tries) == (first.id, 2)


def test_a_new_start_tries_again_what_was_not_graded(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    ticket = add(queue)
    queue.take(["r"])
    queue.finish(ticket, "not_graded")
    with queue.at_work():
        assert queue.counts()["queued"] == 1


def test_a_try_that_does_not_count_keeps_the_place(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    first, second = add(queue), add(queue, "b")
    queue.take(["r"])
    queue.again(first, counts=False)
    taken = queue.take(["r"])
    assert taken is not None
    assert (taken.id, taken.tries) == (first.id, 1)
    queue.again(first, counts=True)
    assert [one and (one.id, one.tries) for one in (queue.take(["r"]), queue.take(["r"]))] == [
        (second.id, 1),
        (first.id, 2),
    ]


def test_only_one_service_uses_a_folder(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    with queue.at_work(), pytest.raises(UsageError, match="another grader"), a_queue(tmp_path).at_work():
        pass


def test_notebooks_of_other_rubrics_keep_waiting(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    add(queue, rubric="old")
    assert queue.take(["r"]) is None
    assert queue.waiting_without(["r"]) == {"old": 1}


def test_a_running_notebook_is_not_removed(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    ticket = add(queue)
    queue.take(["r"])
    assert not queue.remove(ticket)
    queue.finish(ticket, "graded")
    assert queue.remove(ticket)
    assert queue.get(ticket.id) is None
    assert not queue.notebook(ticket).exists()


def test_the_results_of_a_rubric_stay_in_their_folder(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    assert queue.results_name("first", alone=True) == ""
    assert queue.results_name("second", alone=False) == "second"
    assert queue.results_name("third", alone=True) == "third"
    assert queue.results_name("first", alone=False) == ""


@given(name=st.text() | st.from_regex(r"[0-9a-f]{1,40}", fullmatch=True))
def test_only_a_random_id_is_an_id(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    assert is_ticket_id(name) == (len(name) == 32 and set(name) <= set("0123456789abcdef"))
    if not is_ticket_id(name):
        with pytest.raises(ValueError, match="not the id"):
            a_queue(tmp_path_factory.getbasetemp() / "ids")._notebook(name)


def test_ids_are_random(tmp_path: Path) -> None:
    queue = a_queue(tmp_path)
    assert len({add(queue, str(number)).id for number in range(10)}) == 10
    assert all(is_ticket_id(path.stem) for path in (tmp_path / ".serve" / "uploads").iterdir())
