"""The built wheel: what pip installs with it."""

import subprocess
import sys
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

from tools.bootstrap import environment_for_uv

ROOT = Path(__file__).parent.parent
LINES = ("cpu", "gpu")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])
    return Path(built)


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """The variables of uv for the package index that pip uses."""
    return environment_for_uv(Path(sys.prefix))


@pytest.mark.slow
@pytest.mark.early
@pytest.mark.parametrize("extra", LINES)
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_one_tensorflow_is_installed(
    wheel: Path, environment: dict[str, str], extra: str, version: str, tmp_path: Path
) -> None:
    """Resolve the wheel's requirements outside the checkout, so that the overrides of the checkout do not apply."""
    wanted = tmp_path / "requirements.in"
    wanted.write_text(f"cnn-grader[{extra}] @ {wheel.as_uri()}\n", encoding="utf-8")
    command = ["pip", "compile", "--no-config", "--no-annotate", "--no-header", "--python-version", version]
    uv = str(Path(sys.executable).with_name("uv"))
    result = subprocess.run(
        [uv, *command, "--only-binary", ":all:", str(wanted)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    names = [line.partition("==")[0].partition("[")[0] for line in result.stdout.splitlines() if "==" in line]
    providers = [name for name in names if name in {"tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-intel"}]
    assert providers == ["tensorflow"]
    assert {"keras", "tf-keras", "ipykernel"} <= set(names)
