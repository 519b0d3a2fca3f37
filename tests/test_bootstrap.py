"""What the bootstrap decides, before it does anything."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[1]
LOCKS = {name: (ROOT / name).read_text(encoding="utf-8") for name in ("requirements.lock", "docker/gpu-runner.lock")}
LOCK = LOCKS["requirements.lock"]


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    """The script, as a module."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_lock_names_a_host(bootstrap: ModuleType) -> None:
    assert set(bootstrap.LOCKS) == set(LOCKS)
    assert [bootstrap.stray_hosts(lock) for lock in LOCKS.values()] == [[], []]
    assert bootstrap.stray_hosts("--index-url https://example.org\na==1") == ["--index-url https://example.org"]


@pytest.mark.parametrize("lock", LOCKS.values(), ids=LOCKS)
def test_every_package_of_a_lock_has_hashes(lock: str) -> None:
    packages = re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)
    entries = re.findall(r"^[\w.-]+==.*(?:\n[ \t]+--hash=sha256:[0-9a-f]{64}.*)+", lock, re.MULTILINE)
    assert len(packages) > 50
    assert len(entries) == len(packages)


@pytest.mark.parametrize("name", ["uv", "hatchling", "editables", "tensorflow-cpu", "tf-keras", "pytest"])
def test_what_builds_the_environment_is_locked_with_hashes(bootstrap: ModuleType, name: str) -> None:
    entry = bootstrap.lock_entry(LOCK, name)
    assert entry.startswith(f"{name}==")
    assert "--hash=sha256:" in entry
    assert len(re.findall(r"^[\w.-]+==", entry, re.MULTILINE)) == 1


def test_a_package_that_is_not_locked_is_told(bootstrap: ModuleType) -> None:
    with pytest.raises(ValueError, match="does not hold nonsense"):
        bootstrap.lock_entry(LOCK, "nonsense")


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_was_made_by_the_command_that_makes_it_again(bootstrap: ModuleType, name: str) -> None:
    assert f"uv {bootstrap.LOCKS[name]}" in LOCKS[name].splitlines()[1]


def test_the_environment_is_made_anew_when_the_lock_or_python_changes(bootstrap: ModuleType) -> None:
    packages, project = bootstrap.environment_stamp(b"lock", b"project", (3, 11, 2))
    assert bootstrap.environment_stamp(b"lock", b"project", (3, 11, 9)) == (packages, project)
    assert bootstrap.environment_stamp(b"other", b"project", (3, 11))[0] != packages
    assert bootstrap.environment_stamp(b"lock", b"project", (3, 12))[0] != packages


def test_a_change_of_the_project_alone_leaves_the_packages_as_they_are(bootstrap: ModuleType) -> None:
    packages, project = bootstrap.environment_stamp(b"lock", b"project", (3, 11))
    assert bootstrap.environment_stamp(b"lock", b"other", (3, 11))[0] == packages
    assert bootstrap.environment_stamp(b"lock", b"other", (3, 11))[1] != project


def test_pips_settings_are_read_and_the_environment_wins(bootstrap: ModuleType) -> None:
    listing = ":env:.index-url='https://env.example'\nglobal.index-url='https://file.example'\nglobal.cert='/a/b.pem'\n"
    listing += "install.find-links='\\n/x\\n/y'\nlist.format='columns'"
    settings = bootstrap.pip_settings(listing)
    assert settings == {"index-url": "https://env.example", "cert": "/a/b.pem", "find-links": "\n/x\n/y"}


def test_uv_is_told_what_pip_was_told(bootstrap: ModuleType) -> None:
    settings = {
        "index-url": "https://one.example",
        "extra-index-url": "https://two.example\nfile:///three",
        "find-links": "/x /y",
        "trusted-host": "one.example",
        "cert": "/a/b.pem",
        "no-index": "true",
    }
    told = bootstrap.uv_environment(settings, {"HOME": "/h"})
    assert told["HOME"] == "/h"
    assert told["UV_DEFAULT_INDEX"] == "https://one.example"
    assert told["UV_INDEX"] == "https://two.example file:///three"
    assert told["UV_FIND_LINKS"] == "/x,/y"
    assert told["UV_INSECURE_HOST"] == "one.example"
    assert (told["SSL_CERT_FILE"], told["UV_NO_INDEX"]) == ("/a/b.pem", "1")


def test_uv_gets_the_settings_of_pips_file_and_of_the_environment(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_FIND_LINKS", "PIP_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = https://file.example/simple\n", encoding="utf-8")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_FIND_LINKS", "/wheels")
    variables = bootstrap.environment_for_uv(Path(sys.prefix))
    assert variables["UV_DEFAULT_INDEX"] == "https://file.example/simple"
    assert variables["UV_FIND_LINKS"] == "/wheels"


def test_what_is_said_to_uv_directly_stays(bootstrap: ModuleType) -> None:
    settings = {"index-url": "https://pip.example"}
    assert bootstrap.uv_environment(settings, {"UV_DEFAULT_INDEX": "mine"})["UV_DEFAULT_INDEX"] == "mine"
    assert "UV_DEFAULT_INDEX" not in bootstrap.uv_environment(settings, {"UV_INDEX_URL": "mine"})
    assert not {"UV_DEFAULT_INDEX", "UV_INDEX", "UV_NO_INDEX"} & bootstrap.uv_environment({}, {}).keys()


def test_where_venv_is_missing_debians_administrator_gets_it_and_others_the_command(bootstrap: ModuleType) -> None:
    text, commands = bootstrap.missing_venv_advice(debian=True, administrator=True)
    assert "python3-venv" in text
    assert commands[-1][-1] == "python3-venv"
    text, commands = bootstrap.missing_venv_advice(debian=True, administrator=False)
    assert "sudo apt-get update && sudo apt-get install -y python3-venv" in text
    assert commands == []
    text, commands = bootstrap.missing_venv_advice(debian=False, administrator=True)
    assert "PYTHON=" in text
    assert commands == []


@pytest.mark.parametrize("target", ["demo", "test", "check", "lock", "clean"])
def test_make_knows_its_targets(target: str) -> None:
    done = subprocess.run(["make", "-n", target], cwd=ROOT, capture_output=True, text=True, check=True)  # noqa: S607 -- make of this machine
    assert done.stdout.strip()
    if target != "clean":
        assert "tools/bootstrap.py" in done.stdout


def test_python_is_named_by_the_caller() -> None:
    command = ["make", "-n", "test", f"PYTHON={sys.executable}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"{sys.executable} tools/bootstrap.py" in done.stdout
