"""Finds NVIDIA GPUs and MIG instances, and decides which of them this process may use.

Not tested on a machine with a GPU: the tests read texts as `nvidia-smi` prints them.
"""

import re
import shutil
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Gpu", "choose_visible", "find_gpus", "is_named", "read_gpus"]

_ASK_SECONDS = 20.0
_LIST = ["nvidia-smi", "--list-gpus"]
_DETAILS = ["nvidia-smi", "--query", "--xml-format"]
_GPU = re.compile(r"GPU (?P<index>\d+): (?P<name>.+?)(?: \(UUID: (?P<uuid>[^)]*)\))?")
_INSTANCE = re.compile(r"MIG (?P<profile>\S+)\s+Device\s+(?P<number>\d+): \(UUID: (?P<uuid>[^)]*)\)")
_NODE = re.compile(r"nvidia(\d+)")


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU, or a MIG instance of one."""

    index: int
    """Index of the GPU in the driver's order, from 0; the instances of a GPU have the same."""
    name: str
    uuid: str = ""
    """`GPU-…` or `MIG-…`; empty if unknown."""
    minor: int | None = None
    """Number of its device node `/dev/nvidia0`, …, which may differ from the index; None if unknown."""
    memory_mib: int | None = None
    """Its memory; None if unknown."""
    instance: tuple[int, int] | None = None
    """Numbers of the GPU instance and its compute instance; None without MIG, or if unknown."""
    parent: str = ""
    """UUID of the GPU that a MIG instance is a part of."""


@dataclass(frozen=True, slots=True)
class _Details:
    """Facts of the detailed listing about a GPU or an instance."""

    minor: int | None = None
    memory_mib: int | None = None
    instance: tuple[int, int] | None = None
    divided: bool = False
    """Whether MIG is on, so that only instances can be used."""


def find_gpus(
    *,
    run: Callable[[list[str]], str] | None = None,
    nodes: Callable[[], list[str]] | None = None,
) -> tuple[Gpu, ...]:
    """List this machine's NVIDIA GPUs; a GPU that is divided by MIG is replaced by its instances.

    Args:
        run: Runs a command and returns its output, empty if it fails; by default runs `nvidia-smi` itself.
        nodes: Lists the names of device nodes; by default in /dev.

    Returns:
        GPUs in the driver's order. If `nvidia-smi` lists none, those that have device nodes, named `GPU 0`, ….
    """
    run = run or _printed
    listing = run(_LIST)
    if any(_GPU.fullmatch(line.strip()) for line in listing.splitlines()):
        return read_gpus(listing, run(_DETAILS))
    minors = sorted(int(match[1]) for name in (nodes or _device_nodes)() if (match := _NODE.fullmatch(name)))
    return tuple(Gpu(index, f"GPU {index}", minor=minor) for index, minor in enumerate(minors))


def read_gpus(listing: str, details: str = "") -> tuple[Gpu, ...]:
    """Read the listings of `nvidia-smi`.

    Args:
        listing: Output of `nvidia-smi --list-gpus`.
        details: Output of `nvidia-smi --query --xml-format`; without it, minors and memory are unknown.

    Returns:
        GPUs and instances. A GPU with MIG but without instances is left out, because no program can use it.
    """
    facts = _read_details(details)
    gpus: list[Gpu] = []
    whole: Gpu | None = None
    for line in map(str.strip, listing.splitlines()):
        if match := _GPU.fullmatch(line):
            whole = Gpu(int(match["index"]), match["name"], match["uuid"] or "")
            fact = facts.get((whole.uuid, None), _Details())
            whole = Gpu(whole.index, whole.name, whole.uuid, fact.minor, fact.memory_mib)
            if not fact.divided:
                gpus.append(whole)
        elif whole is not None and (match := _INSTANCE.fullmatch(line)):
            fact = facts.get((whole.uuid, int(match["number"])), _Details())
            if whole in gpus:
                gpus.remove(whole)
            gpus.append(
                Gpu(
                    whole.index,
                    f"{whole.name} MIG {match['profile']}",
                    match["uuid"],
                    whole.minor,
                    fact.memory_mib,
                    fact.instance or _instance_in(match["uuid"]),
                    whole.uuid,
                )
            )
    return tuple(gpus)


def choose_visible(gpus: Sequence[Gpu], visible: str | None) -> tuple[Gpu, ...]:
    """Keep the GPUs that `CUDA_VISIBLE_DEVICES` allows, in its order, by CUDA's rules.

    Args:
        gpus: GPUs of the machine.
        visible: Value of the variable; None if it is not set, which allows all.

    Returns:
        GPUs up to the first entry that names none; all instances of a GPU that is named.
    """
    if visible is None:
        return tuple(gpus)
    chosen: dict[Gpu, None] = {}
    for entry in visible.split(","):
        named = [gpu for gpu in gpus if is_named(gpu, entry.strip())]
        if not named:
            break
        chosen.update(dict.fromkeys(named))
    return tuple(chosen)


def is_named(gpu: Gpu, entry: str) -> bool:
    """Whether an entry of `CUDA_VISIBLE_DEVICES` names a GPU: its index, or the start of a UUID."""
    if entry.isdecimal():
        return gpu.index == int(entry)
    if not entry.startswith(("GPU-", "MIG-")):
        return False
    older = f"MIG-{gpu.parent}/{gpu.instance[0]}/{gpu.instance[1]}" if gpu.instance else ""
    return gpu.uuid.startswith(entry) or gpu.parent.startswith(entry) or entry == older


def _read_details(text: str) -> dict[tuple[str, int | None], _Details]:
    """Read the detailed listing: (UUID of a GPU, number of its instance or None) → facts."""
    try:
        root = ET.fromstring(text)  # noqa: S314 - the text comes from the machine's own `nvidia-smi`
    except ET.ParseError:
        return {}
    return {key: fact for gpu in root.iter("gpu") for key, fact in _details(gpu)}


def _details(gpu: ET.Element) -> Iterator[tuple[tuple[str, int | None], _Details]]:
    uuid = gpu.findtext("uuid", "").strip()
    divided = gpu.findtext("mig_mode/current_mig", "").strip() == "Enabled"
    minor, memory = _number(gpu.findtext("minor_number")), _number(gpu.findtext("fb_memory_usage/total"))
    yield (uuid, None), _Details(minor, memory, divided=divided)
    for one in gpu.iterfind("mig_devices/mig_device"):
        numbers = [_number(one.findtext(name)) for name in ("index", "gpu_instance_id", "compute_instance_id")]
        index, outer, inner = numbers
        if index is not None:
            instance = (outer, inner) if outer is not None and inner is not None else None
            memory = _number(one.findtext("fb_memory_usage/total"))
            yield (uuid, index), _Details(minor, memory, instance)


def _number(text: str | None) -> int | None:
    """Read `7` or `15360 MiB`; None for `N/A` and for an error message in place of a number."""
    match = re.fullmatch(r"(\d+)(?: MiB)?", (text or "").strip())
    return int(match[1]) if match else None


def _instance_in(uuid: str) -> tuple[int, int] | None:
    """Read the numbers from a UUID of an older driver, such as `MIG-GPU-…/7/0`."""
    match = re.fullmatch(r"MIG-GPU-[^/]+/(\d+)/(\d+)", uuid)
    return (int(match[1]), int(match[2])) if match else None


def _printed(command: list[str]) -> str:
    if shutil.which(command[0]) is None:
        return ""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ASK_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _device_nodes() -> list[str]:
    return [path.name for path in Path("/dev").glob("nvidia*")]
