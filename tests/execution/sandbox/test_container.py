"""Command lines of a container engine."""

from pathlib import Path

from grader.execution.sandbox.container import Container
from grader.execution.sandbox.isolation import ProcessLimits
from tests.support.wrapping import BINDS, follows


def test_a_container_has_no_network_no_rights_and_a_read_only_root() -> None:
    limits = ProcessLimits(memory_bytes=1 << 30, processes=77)
    how = Container(engine="docker", image="img").for_run()
    args = how.wrap(["python"], binds=BINDS, env={"A": "1"}, cwd=Path("/w"), limits=limits)
    assert args[:3] == ["docker", "run", "--rm"]
    assert follows(args, "--network", "none")
    assert follows(args, "--cap-drop", "all")
    assert follows(args, "--security-opt", "no-new-privileges")
    assert follows(args, "--pids-limit", "77")
    assert follows(args, "--memory", str(1 << 30))
    assert "--read-only" in args
    assert "/opt/py:/opt/py:ro" in args
    assert "/s/work:/home/student/submission:rw" in args
    assert args[-2:] == ["img", "python"]
    assert how.end_command() == ["docker", "kill", how.run_name]


def test_two_containers_have_two_names() -> None:
    assert Container().for_run().run_name != Container().for_run().run_name
