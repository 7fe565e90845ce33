from __future__ import annotations

import pytest

from pytest_stbench.checks import metadata_missing
from pytest_stbench.spec.model import ImageSpec
from pytest_stbench.splits.table import Sample

FULL = {
    "patient": "P1", "technology": "Visium", "panel": "v1", "resolution": "spot",
    "organ": "breast", "disease": "IDC", "preservation": "FFPE",
}  # fmt: skip


def _samples(n=4, **changes):
    return [Sample(slide=f"S{i}", **{**FULL, **changes}) for i in range(n)]


def test_passes_when_everything_is_said(make_dataset):
    result = metadata_missing(make_dataset(samples=_samples()))
    assert result.status == "pass"
    assert result.statistic == 0


@pytest.mark.parametrize("name", ["technology", "resolution", "patient", "panel"])
@pytest.mark.parametrize("blank", [None, "", "  ", "NA", "n/a", "Unknown", "-"])
def test_one_blank_required_field_fails(make_dataset, name, blank):
    samples = [*_samples(3), Sample(slide="bad", **{**FULL, name: blank})]
    result = metadata_missing(make_dataset(samples=samples))
    assert result.status == "fail"
    assert result.slides == ("bad",)
    assert result.statistic == pytest.approx(1 / 16)
    assert name in result.message
    assert result.message.endswith(result.fix)


@pytest.mark.parametrize("name", ["organ", "disease", "preservation"])
def test_a_blank_expected_field_warns(make_dataset, name):
    result = metadata_missing(make_dataset(samples=_samples(**{name: None})))
    assert result.status == "warn"
    assert "all 4 slides" in result.message


def test_the_data_set_may_say_it_for_all_slides_except_the_patient(make_dataset):
    samples = [Sample(slide="S1", patient="P1")]
    said = {name: value for name, value in FULL.items() if name != "patient"}
    assert metadata_missing(make_dataset(samples=samples, **said)).status == "pass"
    nameless = metadata_missing(make_dataset(samples=[Sample(slide="S1")], **said))
    assert nameless.status == "fail"
    assert "one id per person" in nameless.message


@pytest.mark.parametrize(
    ("size", "status"), [(0.5, "pass"), ("uns:um_per_px", "pass"), (0, "warn"), ("", "warn")]
)
def test_an_image_needs_its_pixel_size(make_dataset, size, status):
    dataset = make_dataset(samples=_samples())
    image = ImageSpec.model_construct(path="x.jpg", um_per_px=size)
    dataset.config = dataset.config.model_copy(update={"image": image})
    assert metadata_missing(dataset).status == status


def test_a_required_field_outranks_expected_ones(make_dataset):
    result = metadata_missing(make_dataset(samples=_samples(panel=None, organ=None)))
    assert result.status == "fail"
    assert len(result.findings) == 2
    assert "the gravest of 2 findings" in result.message


def test_no_sample_is_a_skip(make_dataset):
    assert metadata_missing(make_dataset(samples=[])).status == "skip"
