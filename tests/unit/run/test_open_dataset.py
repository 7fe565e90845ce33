from __future__ import annotations

from dataclasses import replace

from pytest_stbench.registry import Catalogue, Reader
from pytest_stbench.run.installed import builtin_registry
from pytest_stbench.run.open_dataset import OpenDataset
from pytest_stbench.run.runner import Runner
from pytest_stbench.run.settings import RunSettings
from pytest_stbench.spec.model import DatasetSpec
from pytest_stbench.splits.table import Sample
from pytest_stbench.store.store import Store


def test_reader_of_another_package_is_used(tmp_path, monkeypatch):
    own = Reader(id="X", name="ours", summary="", target="pytest_stbench.data.simulate:open_source")
    registry = builtin_registry()
    readers = Catalogue("source", [*registry.readers, own])
    monkeypatch.setattr(
        "pytest_stbench.run.open_dataset.builtin_registry", lambda: replace(registry, readers=readers)
    )
    config = DatasetSpec(source="ours", params={"patients": 1, "units": 20, "genes": 60, "image": False})
    samples = (Sample(slide="P01S1", patient="P01"),)
    dataset = OpenDataset(Store(tmp_path)).open("sim", config, samples, ())
    assert len(dataset.panels) == 1


def test_opening_another_data_set_closes_the_first(tmp_path):
    config = DatasetSpec(source="simulated")
    opened = OpenDataset(Store(tmp_path))
    first = opened.open("a", config, (), ())
    assert opened.open("a", config, (), ()) is first
    assert opened.open("b", config, (), ()) is not first


def test_a_strict_run_reads_every_file_anew(tmp_path):
    for strict in (False, True):
        runner = Runner(RunSettings(store=tmp_path, no_skip=strict), builtin_registry())
        assert runner._opened.checksums.anew is strict
        assert runner._opened.checksums.store == tmp_path
