"""Statistics of slides that outlive the process."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_stbench.preprocess import statistics
from pytest_stbench.preprocess.statistics import SlideStatistics, StatisticsKey, slide_statistics
from pytest_stbench.run import dataset_memos
from pytest_stbench.run.dataset_memos import StoredStatistics, packed, unpacked
from pytest_stbench.store.store import Store

from .conftest import poisson_slide

KEY = StatisticsKey("A", "units", "log1p", None, 0.1)
VALUE = SlideStatistics(
    detection=np.array([0.1, np.nan, 1 / 3]), morans_i=np.array([-0.0, np.nan, 1e-300]), hvg_score=np.zeros(3)
)


def same(one, other):
    return all(
        getattr(one, name).tobytes() == getattr(other, name).tobytes()
        for name in ("detection", "morans_i", "hvg_score")
    )


@pytest.fixture
def table(tmp_path):
    """Return a maker of tables as another process would open them."""
    return lambda data="abc": StoredStatistics(Store(tmp_path), lambda: data)


def test_values_come_back_bit_by_bit_in_another_process(table):
    table()[KEY] = VALUE
    assert same(table()[KEY], VALUE)
    assert KEY in table()
    assert unpacked(packed(VALUE.morans_i)).tobytes() == VALUE.morans_i.tobytes()


@pytest.mark.parametrize("change", [{"slide": "B"}, {"units": "x"}, {"method": "log1p_cp10k"}, {"scale": 1e4},
                                    {"min_detection": 0.2}])  # fmt: skip
def test_another_slide_or_setting_is_not_served(table, change):
    table()[KEY] = VALUE
    assert KEY._replace(**change) not in table()


def test_other_data_and_other_code_are_not_served(table, monkeypatch):
    table()[KEY] = VALUE
    assert KEY not in table("abd")
    monkeypatch.setattr(dataset_memos, "code_version", lambda: "0+other")
    assert KEY not in table()


def test_a_damaged_file_counts_as_absent(table, tmp_path):
    table()[KEY] = VALUE
    for path in (tmp_path / "remember" / dataset_memos.STATISTICS).iterdir():
        path.write_text("{")
    assert KEY not in table()
    with pytest.raises(KeyError):
        table()[KEY]


def test_nothing_is_computed_twice(table, monkeypatch):
    slide = poisson_slide("A", 1, n=100)
    first = slide_statistics(slide, "log1p", None, 0.1, table())

    def never(*_args, **_kwargs):
        raise AssertionError("computed again")

    monkeypatch.setattr(statistics, "morans_i", never)
    assert same(slide_statistics(slide, "log1p", None, 0.1, table()), first)
    with pytest.raises(AssertionError, match="computed again"):
        slide_statistics(slide, "log1p", None, 0.2, table())


def test_it_is_a_mapping(table):
    made = table()
    made[KEY] = VALUE
    assert (list(made), len(made)) == ([KEY], 1)
    del made[KEY]
    assert not list(made)
    assert KEY in made  # from the store
