"""One file by HTTP, continued where an earlier transfer was cut off.

:mod:`pooch` compares the checksum and moves the file to its place only then; it knows no ranges,
so the transfer itself is a downloader of ours.
"""

from __future__ import annotations

import contextlib
import json
import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_stbench.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from pytest_stbench.spec.dataset_entry import FileSpec

BLOCK = 1 << 20
TIMEOUT_S = 60
RESERVE = 64 << 20


def download(file: FileSpec, folder: Path, name: str, progress: Callable[[int, int | None], None]) -> Path:
    """Fetch `file` into `folder` under `name`, with its checksum compared where it has one.

    Parameters
    ----------
    file
        What to fetch; ``url`` must be given.
    folder
        Where it goes; the part of a transfer that was cut off stays there and is continued.
    name
        Its name there.
    progress
        Called with the bytes that are there and the number expected (None where not said).

    Raises
    ------
    DataError
        Address refused or not found, no network, transfer cut off, no space, another checksum or
        size. Nothing stands under `name` then.
    """
    import pooch
    import requests

    assert file.url is not None
    part = _Part(folder / f"{name}.part", progress)
    pooch.get_logger().setLevel(logging.WARNING)
    try:
        found = pooch.retrieve(
            file.url,
            known_hash=None if file.sha256 is None else f"sha256:{file.sha256}",
            fname=name,
            path=folder,
            downloader=part.download,
        )
    except requests.exceptions.RequestException as error:
        raise DataError(_no_answer(file.url, error)) from None
    except ValueError:
        raise DataError(
            f"{file.url}: its sha256 is not {file.sha256}, which the catalog has: the file was changed or "
            "damaged on the way; nothing was kept"
        ) from None
    except OSError as error:
        part.forget()
        raise DataError(
            f"{error.filename or folder}: cannot be written ({error.strerror or error}); nothing was kept"
        ) from None
    path = Path(found)
    size = path.stat().st_size
    if file.size is not None and size != file.size:
        path.unlink()
        raise DataError(f"{file.url}: {size:,} bytes, the catalog says {file.size:,}; nothing was kept")
    return path


class _Part:
    """A transfer that can be continued: the bytes so far, and which version they are of."""

    def __init__(self, path: Path, progress: Callable[[int, int | None], None]) -> None:
        self._path = path
        self._version = path.with_name(f"{path.name}.json")
        self._progress = progress

    def download(self, url: str, output_file: str, _pooch: Any = None, *, check_only: bool = False) -> bool:
        """Write the file at `url` to `output_file`; the signature is that of a pooch downloader."""
        import requests

        if check_only:
            return True
        with requests.Session() as session:
            response = self._ask(session, url)
            if response.status_code == requests.codes.requested_range_not_satisfiable:
                response.close()
                self.forget()
                response = self._ask(session, url)
            with response:
                self._write(url, response)
        shutil.move(self._path, output_file)
        self.forget()
        return True

    def forget(self) -> None:
        """Remove what is there of the file."""
        for path in (self._path, self._version):
            path.unlink(missing_ok=True)

    def _ask(self, session: requests.Session, url: str) -> requests.Response:
        # Compressed on the way, lengths and ranges would be those of another file.
        headers = {"Accept-Encoding": "identity"}
        version = self._known_version(url)
        if version and self._path.exists():
            headers |= {"Range": f"bytes={self._path.stat().st_size}-", "If-Range": version}
        return session.get(url, headers=headers, stream=True, timeout=TIMEOUT_S)

    def _write(self, url: str, response: requests.Response) -> None:
        response.raise_for_status()
        have = self._path.stat().st_size if self._path.exists() else 0
        offered = response.headers.get("Content-Range", "")
        continued = response.status_code == 206 and offered.startswith(f"bytes {have}-")
        start = have if continued else 0
        length = response.headers.get("Content-Length")
        total = start + int(length) if length is not None else None
        _require_space(self._path.parent, (total or 0) - start)
        self._note_version(url, response)
        done = start
        self._progress(done, total)
        with self._path.open("ab" if continued else "wb") as stream:
            for block in response.iter_content(BLOCK):
                stream.write(block)
                done += len(block)
                self._progress(done, total)
        if total is not None and done != total:
            import requests

            raise requests.exceptions.ConnectionError(f"cut off after {done:,} of {total:,} bytes")

    def _known_version(self, url: str) -> str:
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(self._version.read_text(encoding="utf-8"))
            if isinstance(known, dict) and known.get("url") == url:
                return str(known.get("version", ""))
        return ""

    def _note_version(self, url: str, response: requests.Response) -> None:
        tag = response.headers.get("ETag", "")
        # A weak tag does not promise the same bytes.
        version = "" if tag.startswith("W/") else tag
        version = version or response.headers.get("Last-Modified", "")
        self._version.write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")


def _require_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if needed + RESERVE > free:
        raise OSError(28, f"{needed / 1e9:.1f} GB are needed, {free / 1e9:.1f} GB are free", str(folder))


def _no_answer(url: str, error: Exception) -> str:
    response = getattr(error, "response", None)
    if response is not None:
        code = response.status_code
        advice = {
            401: "it wants a login or terms to be accepted: fetch it by hand, see `stbench data show`",
            403: "it wants a login or terms to be accepted: fetch it by hand, see `stbench data show`",
            404: "the file has moved: see its homepage, and tell us",
        }.get(code, "try again later")
        return f"{url}: the server answers {code} {response.reason}; {advice}"
    return f"{url}: the transfer failed ({_innermost(error)}); the same command continues it"


def _innermost(error: BaseException) -> str:
    """Return the cause in one line, without the addresses of objects that urllib3 puts around it."""
    text = str(getattr(error.args[0], "reason", error) if error.args else error)
    return " ".join(text.rpartition(">: ")[2].rpartition("object at ")[2].split()) or type(error).__name__
