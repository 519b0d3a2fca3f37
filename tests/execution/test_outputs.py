"""Limits of a notebook's outputs."""

from typing import Any

from nbformat.v4 import new_output

from grader.execution.outputs import OutputKeeper
from grader.schema.rubric import OutputSettings


def display(**data: Any) -> Any:
    return new_output("display_data", data={name.replace("_", "/"): value for name, value in data.items()})


def text_of(outs: list[Any]) -> str:
    return "".join(out.get("text", "") for out in outs)


def test_pieces_of_one_stream_become_one_output() -> None:
    keeper = OutputKeeper()
    outs: list[Any] = []
    keeper.begin(0, outs)
    for piece in ("a", "b\n", "c"):
        keeper.stream("stdout", piece)
    keeper.finish()
    assert [out["text"] for out in outs] == ["ab\nc"]


def test_what_tensorflow_says_while_it_is_loaded_is_left_out_and_a_students_warning_is_not() -> None:
    keeper = OutputKeeper()
    outs: list[Any] = []
    keeper.begin(0, outs)
    keeper.stream("stderr", "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n")
    keeper.stream("stderr", "I0000 00:00:1795311112.847088       2 port.cc:153] oneDNN custom operations are on.\n")
    keeper.stream("stderr", "WARNING: my own\nE0000 00:00:1795311112.847088 2 cuda.cc:1] it failed\n")
    keeper.finish()
    assert [out["text"] for out in outs] == ["WARNING: my own\nE0000 00:00:1795311112.847088 2 cuda.cc:1] it failed\n"]


def test_streams_and_displays_keep_their_order() -> None:
    keeper = OutputKeeper()
    outs: list[Any] = []
    keeper.begin(0, outs)
    keeper.stream("stdout", "before")
    keeper.rich(display(image_png="AAAA"))
    keeper.stream("stdout", "after")
    keeper.stream("stderr", "warning")
    keeper.finish()
    assert [out.get("text", "image") for out in outs] == ["before", "image", "after", "warning"]


def test_one_cell_cannot_print_more_than_its_cap_and_says_so_once() -> None:
    keeper = OutputKeeper(OutputSettings(cell_text=1000))
    outs: list[Any] = []
    keeper.begin(0, outs)
    for number in range(10_000):
        keeper.stream("stdout", f"{number}\n")
    keeper.finish()
    assert len(text_of(outs)) < 1200
    assert text_of(outs).count("were cut here") == 1
    assert "9999" in text_of(outs)


def test_all_cells_together_cannot_print_more_than_the_notebooks_cap() -> None:
    keeper = OutputKeeper(OutputSettings(cell_text=1000, total_text=2500))
    sizes = []
    for index in range(5):
        outs: list[Any] = []
        keeper.begin(index, outs)
        keeper.stream("stdout", "x\n" * 400)
        keeper.finish()
        sizes.append(text_of(outs).count("x"))
    assert sizes[:3] == [400, 400, 400]
    assert sizes[4] < 10


def test_alternating_streams_cannot_make_endless_outputs() -> None:
    keeper = OutputKeeper(OutputSettings(cell_outputs=10))
    outs: list[Any] = []
    keeper.begin(0, outs)
    for number in range(100_000):
        keeper.stream("stdout" if number % 2 else "stderr", "x")
    keeper.finish()
    assert len(outs) <= 11
    assert text_of(outs).count("x") == 100_000


def test_too_many_images_leave_a_note_and_their_text() -> None:
    keeper = OutputKeeper(OutputSettings(cell_images=3))
    outs: list[Any] = []
    keeper.begin(0, outs)
    for _ in range(10):
        keeper.rich(display(image_png="AAAA", text_plain="<Figure>"))
    keeper.finish()
    assert sum("image/png" in out.get("data", {}) for out in outs) == 3
    assert sum("text/plain" in out.get("data", {}) for out in outs) == 10
    assert "too many images" in text_of(outs)


def test_one_giant_image_is_left_out() -> None:
    keeper = OutputKeeper(OutputSettings(one_display=1000))
    outs: list[Any] = []
    keeper.begin(0, outs)
    keeper.rich(display(image_png="A" * 2000))
    keeper.finish()
    assert "one output is too large" in text_of(outs)
    assert len(outs) == 1


def test_clearing_makes_room_again() -> None:
    keeper = OutputKeeper(OutputSettings(cell_images=1))
    outs: list[Any] = []
    keeper.begin(0, outs)
    for _ in range(5):
        keeper.rich(display(image_png="AAAA"))
        keeper.clear(wait=True)
    keeper.rich(display(image_png="BBBB"))
    keeper.finish()
    assert [out["data"]["image/png"] for out in outs] == ["BBBB"]


def test_an_immediate_clear_empties_the_cell() -> None:
    keeper = OutputKeeper()
    outs: list[Any] = []
    keeper.begin(0, outs)
    keeper.stream("stdout", "gone")
    keeper.clear(wait=False)
    keeper.finish()
    assert outs == []


def test_an_update_changes_the_display_of_an_earlier_cell() -> None:
    keeper = OutputKeeper()
    first: list[Any] = []
    second: list[Any] = []
    keeper.begin(0, first)
    keeper.rich(display(text_plain="0 %"), "bar")
    keeper.begin(1, second)
    keeper.update("bar", {"text/plain": "100 %"}, {})
    keeper.finish()
    assert first[0]["data"] == {"text/plain": "100 %"}
    assert second == []


def test_an_update_cannot_smuggle_in_what_a_display_may_not_hold() -> None:
    keeper = OutputKeeper(OutputSettings(one_display=100))
    outs: list[Any] = []
    keeper.begin(0, outs)
    keeper.rich(display(text_plain="small"), "bar")
    keeper.update("bar", {"text/html": "x" * 1000}, {})
    keeper.finish()
    assert outs[0]["data"] == {"text/plain": "small"}
    assert "one output is too large" in text_of(outs)


def test_a_thousand_updates_count_once() -> None:
    keeper = OutputKeeper(OutputSettings(cell_displays=500))
    outs: list[Any] = []
    keeper.begin(0, outs)
    keeper.rich(display(text_plain="0"), "bar")
    for number in range(1000):
        keeper.update("bar", {"text/plain": str(number)}, {})
    keeper.finish()
    assert outs[0]["data"] == {"text/plain": "999"}
    assert len(outs) == 1


def test_a_giant_traceback_keeps_its_ends() -> None:
    keeper = OutputKeeper()
    outs: list[Any] = []
    keeper.begin(0, outs)
    keeper.error("RecursionError", "m" * 100_000, [str(number) for number in range(3000)])
    keeper.finish()
    assert outs[0]["traceback"][0] == "0"
    assert outs[0]["traceback"][-1] == "2999"
    assert len(outs[0]["traceback"]) == 60
    assert len(outs[0]["evalue"]) == 4000
