"""The models that returned a tensor."""

from grader.inside.watch.outputs import Outputs


class Thing:
    """A model or a tensor: anything that a weak reference can hold."""


def test_the_models_of_an_output_are_found_the_innermost_first() -> None:
    outputs, inner, outer, tensor = Outputs(), Thing(), Thing(), Thing()
    outputs.add(inner, tensor)
    outputs.add(outer, tensor)
    outputs.add(outer, tensor)
    assert outputs.models_of(tensor) == [inner, outer]
    assert outputs.models_of(Thing()) == []


def test_each_of_several_outputs_is_found() -> None:
    outputs, model, first, second = Outputs(), Thing(), Thing(), Thing()
    outputs.add(model, {"a": first})
    outputs.add(model, [second, 3])
    assert outputs.models_of(first) == outputs.models_of(second) == [model]
    assert outputs.models_of(3) == []


def test_models_and_tensors_are_not_kept_alive() -> None:
    outputs, model, tensor = Outputs(), Thing(), Thing()
    outputs.add(model, tensor)
    del model
    assert outputs.models_of(tensor) == []


def test_only_recent_outputs_are_remembered() -> None:
    outputs, model = Outputs(), Thing()
    tensors = [Thing() for _ in range(100)]
    for tensor in tensors:
        outputs.add(model, tensor)
    assert outputs.models_of(tensors[0]) == []
    assert outputs.models_of(tensors[-1]) == [model]
