from __future__ import annotations

import functools
import hashlib
import http.server
import io
import json
import re
import threading
import zipfile
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from scipy.sparse import csr_matrix

from pytest_stbench.cli import main
from pytest_stbench.data.catalog.entries import entries
from pytest_stbench.data.catalog.fetch import fetch
from pytest_stbench.data.catalog.verify import verify
from pytest_stbench.data.dataset import Dataset
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError, TaskFileError
from pytest_stbench.resources import tasks_dir
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.spec.dataset_entry import MANIFEST, load_entry
from pytest_stbench.spec.validate import load_task

REGISTRY = builtin_registry()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of a folder, with ranges, and without a line for each request."""

    asked: list[str] = []  # noqa: RUF012  # one server a test

    def log_message(self, *_):
        pass

    def do_GET(self):
        wanted = self.headers.get("Range")
        type(self).asked.append(f"{self.path} {wanted or ''}".strip())
        path = self.translate_path(self.path)
        if wanted is None or not wanted.startswith("bytes="):
            super().do_GET()
            return
        content = Path(path).read_bytes()
        start = int(wanted.removeprefix("bytes=").partition("-")[0])
        self.send_response(206)
        self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:])


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder that a local server gives away, its address, and a cache of its own."""
    folder = tmp_path / "served"
    folder.mkdir()
    monkeypatch.setenv("STBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("STBENCH_DATA", raising=False)
    Quiet.asked.clear()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def entry_of(tmp_path, address, content=b"abc", **changes):
    file = {
        "path": "a.bin", "url": f"{address}/a.bin", "sha256": hashlib.sha256(content).hexdigest(),
        "size": len(content), "unpack": "none", **changes,
    }  # fmt: skip
    lines = [f"    {key}: {json.dumps(value)}" for key, value in file.items()]
    lines[0] = lines[0].replace("    ", "  - ", 1)
    path = tmp_path / "tiny.stbench-data.yaml"
    verified = "2026-01-01" if file["sha256"] else "null"
    path.write_text(
        "stbench_data: 1\nname: tiny\ntitle: t\nhomepage: https://example.org/data\nfiles:\n"
        + "\n".join(lines)
        + "\n"
        "licence: CC BY 4.0\ncitation: c\npatients: 1\nslides: 1\ntechnology: ST\nindication: carcinoma\n"
        "organ: breast\ndataset: {source: h5ad, path: '*.h5ad', resolution: spot, panel: p}\n"
        f"verified: {verified}\n"
    )
    return load_entry(path).entry


def test_every_entry_is_valid_and_claims_no_checksum_it_has_not_seen():
    found = entries()
    assert len(found) >= 43
    assert {"breast carcinoma", "lung adenocarcinoma", "melanoma"} <= {entry.indication for entry in found}
    for entry in found:
        assert entry.licence
        assert entry.citation
        assert entry.known_from or entry.fetchable or entry.name == "her2st" or entry.dataset.source == "hest"
        assert all(file.size is None for file in entry.files) or entry.verified
        if entry.verified is None:
            assert all(file.sha256 is None for file in entry.files)


def test_mistakes_of_an_entry_are_told_at_once(tmp_path):
    text = (tasks_dir() / "catalog" / "her2st.stbench-data.yaml").read_text(encoding="utf-8")
    path = tmp_path / "other.stbench-data.yaml"
    path.write_text(text.replace("patients: 6", "patients: x").replace("licence:", "license:"))
    with pytest.raises(TaskFileError) as caught:
        load_entry(path)
    assert {problem.key for problem in caught.value.problems} == {"licence", "license", "name", "patients"}


def test_tasks_of_hest_benchmark_are_there():
    found = {entry.name: entry for entry in entries() if entry.name.startswith("hest-bench-")}
    assert len(found) == 9
    assert len({entry.organ for entry in found.values()}) >= 7
    for entry in found.values():
        assert not entry.fetchable, "access is granted on the homepage"
        assert entry.licence == "CC BY-NC-SA 4.0"
        assert (entry.dataset.resolution == "spot") == (entry.technology == "Visium")


def test_a_task_of_hest_benchmark_that_was_put_there_is_used(served, tmp_path):
    folder = tmp_path / "cache" / "hest-bench-skcm"
    (folder / "adata").mkdir(parents=True)
    for name in ("T1", "T2"):
        anndata.AnnData(
            csr_matrix(np.ones((4, 2), np.float32)), obs=pd.DataFrame(index=[*"abcd"]),
            var=pd.DataFrame(index=["MLANA", "PMEL"]), obsm={"spatial": np.eye(4)[:, :2] * 100},
        ).write_h5ad(folder / "adata" / f"{name}.h5ad")  # fmt: skip
    (folder / "HEST_v1_1_0.csv").write_text(
        "id,dataset_title,patient,st_technology,pixel_size_um\nT1,S,p1,Xenium,0.27\nT2,S,p2,Xenium,0.27\n"
    )
    done = CliRunner().invoke(main, ["data", "verify", "hest-bench-skcm"])
    assert done.exit_code == 0, done.output
    assert "recorded 3 files" in done.output
    config = load_task(
        task_with(tmp_path, "{source: catalog, path: hest-bench-skcm}"), REGISTRY
    ).spec.datasets["d"]
    samples = load_samples(config, "d", [tmp_path / "cache"])
    assert [(s.slide, s.patient, s.technology, s.organ) for s in samples] == [
        ("T1", "S:p1", "Xenium", "skin"),
        ("T2", "S:p2", "Xenium", "skin"),
    ]
    assert Dataset("d", config, samples, [tmp_path / "cache"]).slide("T1").xy_um.max() == pytest.approx(27)


def test_list_and_show_tell_the_state(served):
    listed = CliRunner().invoke(main, ["data", "list"])
    assert listed.exit_code == 0, listed.output
    assert "her2st" in listed.output
    shown = CliRunner().invoke(main, ["data", "show", "her2st"])
    assert "licence: not stated" in shown.output
    unknown = CliRunner().invoke(main, ["data", "show", "her2"])
    assert unknown.exit_code == 2
    assert "did you mean 'her2st'" in unknown.output


def rows(*arguments):
    """Names in the list of data sets."""
    done = CliRunner().invoke(main, ["data", "list", *arguments])
    assert done.exit_code == 0, done.output
    return {line.split("  ")[0]: line for line in done.output.splitlines()[1:]}


def test_the_list_is_asked_by_organ_and_technology(served):
    found = {entry.name: entry for entry in entries()}
    everything = rows()
    assert everything.keys() == found.keys()
    lung = rows("--organ", "Lung")
    assert lung.keys() == {name for name, entry in found.items() if "lung" in entry.organ.split(", ")}
    assert {"cosmx-lung", "visium-formalin-fixed", "xenium-lung-fibrosis"} <= lung.keys() < everything.keys()
    both = rows("--organ", "lung", "--technology", "xenium")
    assert both.keys() == {name for name in lung if found[name].technology == "Xenium"}
    assert "stimage-1k4m" in rows("--technology", "visium hd")
    for name, line in everything.items():
        assert (" never fetched " in line) == (found[name].verified is None)
        assert (" ? " in line) == (found[name].patients is None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--organ", "longue"),
            "no data set of the organ 'longue' among 4.; did you mean 'lung'.; they have ",
        ),
        (("--technology", "Xenum"), "of the technology 'Xenum' .*did you mean 'Xenium'"),
        (
            ("--organ", "ovary", "--technology", "ST"),
            "no data set of the technology 'ST' among [0-9]+; they have",
        ),
        (("--organ", ""), "no data set of the organ ''"),
    ],
)
def test_what_the_catalog_does_not_have_is_told(served, arguments, said):
    done = CliRunner().invoke(main, ["data", "list", *arguments])
    assert done.exit_code == 2
    assert re.search(said, done.output), done.output


def test_an_entry_says_where_its_numbers_come_from(served):
    done = CliRunner().invoke(main, ["data", "show", "xenium-lung-fibrosis"])
    assert "study: https://www.ncbi.nlm.nih.gov/geo/query/acc.cgi?acc=GSE250346" in done.output
    assert "known from: metadata of HEST-1k v1.1.0" in done.output
    assert "20 slides, 19 patients" in done.output
    assert "checksums: never fetched" in done.output


def test_a_file_is_fetched_and_verified(served, tmp_path):
    folder, address = served
    (folder / "a.bin").write_bytes(b"abc")
    entry = entry_of(tmp_path, address)
    target = fetch(entry, tmp_path / "data")
    assert (target / "a.bin").read_bytes() == b"abc"
    assert verify(entry, target).new
    assert (target / MANIFEST).is_file()
    assert not verify(entry, target).new
    (target / "a.bin").write_bytes(b"abd")
    with pytest.raises(DataError, match=r"a\.bin: sha256 .*the catalog has"):
        verify(entry, target)
    with pytest.raises(DataError, match="is there already"):
        fetch(entry, tmp_path / "data")


def test_a_wrong_checksum_leaves_nothing_behind(served, tmp_path):
    folder, address = served
    (folder / "a.bin").write_bytes(b"xyz")
    with pytest.raises(DataError, match="sha256"):
        fetch(entry_of(tmp_path, address), tmp_path / "data")
    left = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert left == []


def test_a_transfer_goes_on_where_it_stopped(served, tmp_path):
    folder, address = served
    content = bytes(range(256)) * 400
    (folder / "a.bin").write_bytes(content)
    entry = entry_of(tmp_path, address, content)
    half = {"stop": True}

    def stop(_name, done, _total):
        if half["stop"] and done:
            half["stop"] = False
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(entry, tmp_path / "data", stop)
    assert not (tmp_path / "data" / "tiny").exists()
    target = fetch(entry, tmp_path / "data")
    assert (target / "a.bin").read_bytes() == content


def stopped(entry, folder):
    """Begin to fetch, and stop after the first block; return how many bytes are there."""

    def stop(_name, done, _total):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(entry, folder, stop)
    (part,) = folder.rglob("*.part")
    return part.stat().st_size


BLOCKS = bytes(range(256)) * 10_000
"""Content of more than two blocks."""


def test_only_the_rest_is_asked_for(served, tmp_path):
    folder, address = served
    (folder / "a.bin").write_bytes(BLOCKS)
    entry = entry_of(tmp_path, address, BLOCKS)
    have = stopped(entry, tmp_path / "data")
    assert 0 < have < len(BLOCKS)
    Quiet.asked.clear()
    assert (fetch(entry, tmp_path / "data") / "a.bin").read_bytes() == BLOCKS
    assert Quiet.asked == [f"/a.bin bytes={have}-"]


@pytest.mark.parametrize("answer", ["whole", "other place", "not satisfiable"])
def test_a_server_that_does_not_continue(served, tmp_path, monkeypatch, answer):
    folder, address = served
    (folder / "a.bin").write_bytes(BLOCKS)
    entry = entry_of(tmp_path, address, BLOCKS)
    stopped(entry, tmp_path / "data")

    def get(self):
        wanted = self.headers.get("Range")
        code = 200 if wanted is None else {"whole": 200, "other place": 206, "not satisfiable": 416}[answer]
        body = b"" if code == 416 else BLOCKS
        self.send_response(code)
        if code == 206:
            self.send_header("Content-Range", f"bytes 0-{len(BLOCKS) - 1}/{len(BLOCKS)}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    monkeypatch.setattr(Quiet, "do_GET", get)
    assert (fetch(entry, tmp_path / "data") / "a.bin").read_bytes() == BLOCKS


def test_a_file_that_changed_between_two_parts_is_refused(served, tmp_path):
    folder, address = served
    (folder / "a.bin").write_bytes(BLOCKS)
    entry = entry_of(tmp_path, address, BLOCKS)
    stopped(entry, tmp_path / "data")
    (folder / "a.bin").write_bytes(BLOCKS[::-1])  # this server continues whatever `If-Range` says
    with pytest.raises(DataError, match=r"its sha256 is not .* nothing was kept"):
        fetch(entry, tmp_path / "data")
    assert not (tmp_path / "data" / "tiny").exists()
    assert not list((tmp_path / "data").rglob("*.part"))


@pytest.mark.parametrize("name", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt"])
def test_archives_stay_in_their_folder(served, tmp_path, name):
    folder, address = served
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("good.txt", "x")
        archive.writestr(name, "x")
    (folder / "a.bin").write_bytes(packed.getvalue())
    entry = entry_of(tmp_path, address, packed.getvalue(), unpack="zip")
    with pytest.raises(DataError, match=r"evil\.txt"):
        fetch(entry, tmp_path / "data")
    assert not list(tmp_path.rglob("evil.txt"))
    assert not (tmp_path / "data" / "tiny").exists()


def test_a_good_archive_is_unpacked(served, tmp_path):
    folder, address = served
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("deep/good.txt", "x")
    (folder / "a.bin").write_bytes(packed.getvalue())
    target = fetch(entry_of(tmp_path, address, packed.getvalue(), unpack="zip"), tmp_path / "data")
    assert [path.read_text() for path in target.rglob("good.txt")] == ["x"]


def test_what_is_not_there_is_told(served, tmp_path):
    _, address = served
    with pytest.raises(DataError, match="404"):
        fetch(entry_of(tmp_path, address), tmp_path / "data")
    with pytest.raises(DataError, match=r"127\.0\.0\.1"):
        fetch(entry_of(tmp_path, "http://127.0.0.1:9"), tmp_path / "data")
    assert not (tmp_path / "data" / "tiny").exists()


def task_with(tmp_path, text):
    path = tmp_path / "t.stbench.yaml"
    path.write_text(
        "stbench: 1\nname: t\nversion: 1\nfamily: imputation\nimputation: {hide: {folds: 5}}\ndatasets:\n"
        f"  d: {text}\n"
    )
    return path


def test_a_task_file_names_an_entry(tmp_path):
    path = task_with(tmp_path, "{source: catalog, path: her2st, organ: mamma}")
    config = load_task(path, REGISTRY).spec.datasets["d"]
    assert config.source == "h5ad"
    assert config.path == "her2st/sections/*.h5ad"
    assert config.sha256 == "her2st/SHA256SUMS"
    assert config.organ == "mamma", "the file goes before the entry"
    assert "stbench data verify her2st" in config.get


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "{source: catalog, path: her2}",
            r"t\.stbench\.yaml:7: datasets\.d\.path: found 'her2'.*did you mean",
        ),
        ("{source: catalog}", r"datasets\.d\.path: found nothing; the catalog has"),
    ],
)
def test_entries_that_are_not_there(tmp_path, text, message):
    with pytest.raises(TaskFileError, match=message):
        load_task(task_with(tmp_path, text), REGISTRY)
