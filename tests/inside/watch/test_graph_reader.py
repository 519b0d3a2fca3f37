"""Variables in a graph count as data unless they are weights of a model or a few copies of them."""

import pytest

from grader.inside.watch.graph_reader import extra_variables

KERNEL, BIAS = (9, 8), (20,)


@pytest.mark.parametrize(
    ("variables", "extra"),
    [
        ({1: KERNEL, 2: BIAS}, {}),
        ({1: KERNEL, 3: KERNEL, 4: KERNEL, 5: KERNEL, 6: KERNEL}, {}),
        ({3: KERNEL, 4: KERNEL, 5: KERNEL, 6: KERNEL, 7: KERNEL, 8: BIAS}, {7: 72}),
        ({1: KERNEL, 3: (8, 9)}, {3: 72}),
    ],
    ids=["weights", "four copies", "a fifth copy", "another shape"],
)
def test_a_variable_is_data_if_it_is_no_weight_and_no_early_copy(
    variables: dict[int, tuple[int, ...]], extra: dict[int, int]
) -> None:
    assert extra_variables(variables, {1, 2}, [KERNEL, BIAS]) == extra


def test_each_weight_of_a_shape_allows_four_copies() -> None:
    variables = dict.fromkeys(range(9), KERNEL)
    assert extra_variables(variables, set(), [KERNEL, KERNEL]) == {8: 72}
