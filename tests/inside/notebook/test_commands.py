"""Detection of shell commands that need a network, and the advice for them."""

import pytest

from grader.inside.notebook.commands import NetworkCommand, advise, find_network_command, without_network_lines


@pytest.mark.parametrize(
    ("line", "tool"),
    [
        ("pip install keras", "pip"),
        ("pip3 install -q -U tensorflow==2.0", "pip"),
        ("python -m pip install keras", "pip"),
        ("/usr/bin/python3 -m pip install keras", "pip"),
        ("sudo apt-get -y install graphviz", "apt-get"),
        ("cd data && wget http://example.invalid/a.zip && unzip a.zip", "wget"),
        ("mkdir x; curl -O http://example.invalid/a", "curl"),
        ("git clone https://example.invalid/a.git", "git"),
        ("KAGGLE_CONFIG_DIR=. kaggle competitions download -c digits", "kaggle"),
        ("conda install -y keras", "conda"),
    ],
)
def test_a_command_that_needs_a_network_is_found(line: str, tool: str) -> None:
    found = find_network_command(line)
    assert found is not None
    assert found.tool == tool


@pytest.mark.parametrize(
    "line",
    [
        "ls",
        "pip list",
        "pip --version",
        "git status",
        "ls | grep pip",
        "echo wget",
        "nvidia-smi",
        "# wget x",
        "",
        "python -m site",
    ],
)
def test_a_command_that_needs_none_is_left_alone(line: str) -> None:
    assert find_network_command(line) is None


def test_an_unbalanced_quote_does_not_hide_a_command() -> None:
    found = find_network_command("wget 'http://example.invalid/a")
    assert found is not None
    assert found.tool == "wget"


def test_the_advice_for_pip_tells_what_is_there_from_what_is_not() -> None:
    assert "Already installed: numpy." in advise(NetworkCommand("pip", ("install", "-q", "numpy>=1.0")))
    assert "Not installed: no-such-thing." in advise(NetworkCommand("pip", ("install", "numpy", "no-such-thing==1")))


def test_a_tensorflow_build_counts_as_tensorflow() -> None:
    assert "Already installed" in advise(NetworkCommand("pip", ("install", "tensorflow-gpu")))


def test_only_the_network_lines_of_a_script_are_taken_out() -> None:
    told: list[NetworkCommand] = []
    kept = without_network_lines("echo a\nwget http://example.invalid/x\necho b\n", told.append)
    assert kept == "echo a\necho b\n"
    assert [command.tool for command in told] == ["wget"]
