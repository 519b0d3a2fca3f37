"""Fetching from a server that behaves, and from ones that do not."""

import functools
import gzip
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from grader.datasets.download import download
from grader.datasets.registry import OfficialFile
from grader.datasets.sources import DEBIAN, local_sources
from grader.datasets.store import DatasetStore
from grader.schema.errors import DatasetMissingError, StorageError

CONTENT = bytes(range(256)) * 4000


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves a folder with ranges; closes or refuses connections as the test requires."""

    folder: ClassVar[Path]
    breaks: ClassVar[int] = 0
    status: ClassVar[int] = 200
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        path = self.folder / self.path.lstrip("/")
        wanted = self.headers.get("Range", "")
        type(self).asked.append(wanted)
        if self.status != 200 or not path.is_file():
            self.send_error(404 if self.status == 200 else self.status)
            return
        content = path.read_bytes()
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        body = content[start:]
        if type(self).breaks > 0:
            type(self).breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, type[Handler]]]:
    """A server on this machine, and the handler's class to tell it how to behave."""
    folder = tmp_path / "served"
    folder.mkdir()
    handler = type("Told", (Handler,), {"folder": folder, "asked": []})
    (folder / "file.bin").write_bytes(CONTENT)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=functools.partial(running.serve_forever, poll_interval=0.01))
        thread.start()
        yield f"http://127.0.0.1:{running.server_address[1]}", handler
        running.shutdown()
        thread.join()


def official(sha256: str = "", *, unpacked: bool = False) -> OfficialFile:
    return OfficialFile(
        "file.bin", "http://127.0.0.1:9/unused", sha256 or hashlib.sha256(CONTENT).hexdigest(), unpacked
    )


def test_a_file_arrives_whole_and_is_not_asked_for_again(tmp_path: Path, server: tuple[str, type[Handler]]) -> None:
    address, handler = server
    seen: list[tuple[int, int | None]] = []
    for _ in range(2):
        download(official(), tmp_path / "f", url=f"{address}/file.bin", progress=lambda a, b: seen.append((a, b)))
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert handler.asked == [""]


def test_a_connection_that_breaks_is_resumed_where_it_broke(tmp_path: Path, server: tuple[str, type[Handler]]) -> None:
    address, handler = server
    handler.breaks = 2
    download(official(), tmp_path / "f", url=f"{address}/file.bin", pause=0)
    assert (tmp_path / "f").read_bytes() == CONTENT
    assert handler.asked == ["", f"bytes={len(CONTENT) // 2}-", f"bytes={len(CONTENT) * 3 // 4}-"]


def test_a_connection_that_always_breaks_is_told_and_goes_on_next_time(
    tmp_path: Path, server: tuple[str, type[Handler]]
) -> None:
    address, handler = server
    handler.breaks = 4
    with pytest.raises(DatasetMissingError, match="the connection closed"):
        download(official(), tmp_path / "f", url=f"{address}/file.bin", pause=0)
    assert not (tmp_path / "f").exists()
    download(official(), tmp_path / "f", url=f"{address}/file.bin", pause=0)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_part_that_was_complete_is_taken(tmp_path: Path, server: tuple[str, type[Handler]]) -> None:
    (tmp_path / "f.part").write_bytes(CONTENT)
    download(official(), tmp_path / "f", url=f"{server[0]}/file.bin")
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_other_bytes_than_the_hash_says_are_thrown_away(tmp_path: Path, server: tuple[str, type[Handler]]) -> None:
    with pytest.raises(DatasetMissingError, match="not the expected one"):
        download(official("0" * 64), tmp_path / "f", url=f"{server[0]}/file.bin")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["served"]


@pytest.mark.parametrize(("status", "tries"), [(200, 1), (403, 1), (503, 4)])
def test_a_server_that_refuses_is_quoted(
    tmp_path: Path, server: tuple[str, type[Handler]], status: int, tries: int
) -> None:
    address, handler = server
    handler.status = status
    with pytest.raises(DatasetMissingError, match=f"answered {404 if status == 200 else status}") as caught:
        download(official(), tmp_path / "f", url=f"{address}/missing.bin", pause=0)
    assert "grader data import" in caught.value.advice
    assert len(handler.asked) == tries


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x", "http://no-such-host.invalid/x"])
def test_without_a_network_it_says_what_to_do(tmp_path: Path, address: str) -> None:
    with pytest.raises(DatasetMissingError, match="the download failed") as caught:
        download(official(), tmp_path / "f", url=address, pause=0)
    assert "connect this machine" in caught.value.advice


def test_an_address_that_is_not_of_the_web_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetMissingError, match="not a web address"):
        download(official(), tmp_path / "f", url="file:///etc/passwd")


def test_a_folder_that_cannot_be_written_is_the_disks_fault(tmp_path: Path, server: tuple[str, type[Handler]]) -> None:
    with pytest.raises(StorageError, match="cannot write"):
        download(official(), tmp_path / "none" / "f", url=f"{server[0]}/file.bin")


def test_a_packed_file_is_known_by_its_content(tmp_path: Path, server: tuple[str, type[Handler]]) -> None:
    address, handler = server
    digest = hashlib.sha256(CONTENT).hexdigest()
    for level in (1, 9):
        (handler.folder / "file.bin").write_bytes(gzip.compress(CONTENT, level))
        download(official(digest, unpacked=True), tmp_path / f"f{level}", url=f"{address}/file.bin")
    (handler.folder / "file.bin").write_bytes(gzip.compress(CONTENT)[:-9])
    with pytest.raises(DatasetMissingError, match="not the expected one"):
        download(official(digest, unpacked=True), tmp_path / "cut", url=f"{address}/file.bin")


@pytest.mark.skipif(not (DEBIAN / "fashion-mnist").is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_fetching_the_real_fashion_mnist_gives_a_data_set(tmp_path: Path, server: tuple[str, type[Handler]]) -> None:
    address, handler = server
    for path in (DEBIAN / "fashion-mnist").iterdir():
        (handler.folder / path.name).symlink_to(path)
    store = DatasetStore(
        tmp_path / "d",
        sources=lambda name, kept: local_sources(
            name, kept, cache=kept / "no", system=kept / "no", packaged=kept / "no"
        ),
    )
    store.fetch("fashion_mnist", base_url=address)
    assert store.prepare("fashion_mnist").source == "downloaded"
    assert np.bincount(store.labels("fashion_mnist", "test")).tolist() == [1000] * 10


def test_a_courses_own_data_set_cannot_be_fetched(tmp_path: Path, own: Path) -> None:
    store = DatasetStore(tmp_path / "d")
    store.import_file("own", own)
    with pytest.raises(DatasetMissingError, match="cannot be downloaded"):
        store.fetch("own")
