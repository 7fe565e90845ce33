"""What each defect does to tables and slides, measured at several strengths."""

from __future__ import annotations

import re

import numpy as np
import pytest

from pytest_stbench.data.simulate.source import open_source
from pytest_stbench.data.simulate.table import simulated_samples
from pytest_stbench.resources import gene_aliases, housekeeping, lr_pairs, signatures
from pytest_stbench.spec.model import DatasetSpec

COHORT = {"patients": 4, "units": 100, "genes": 120}
SLIDES = ("P01S1", "P02S1", "P03S1", "P04S1")


def config_of(defects, **params):
    return DatasetSpec(source="simulated", params={**COHORT, **params, "defects": defects})


def read(defects, slide="P01S1", **params):
    return open_source(config_of(defects, **params), (), ()).read(slide)


def rows_of(defects, **params):
    return simulated_samples(config_of(defects, **params))


def total(slide):
    return np.asarray(slide.counts.sum(axis=1)).ravel()


@pytest.fixture(scope="module")
def clean():
    return read({})


class TestTable:
    def test_metadata(self):
        rows = rows_of({"metadata_missing": 0.5})
        assert [row.technology is None and row.panel is None for row in rows] == [False, False, True, True]
        assert rows_of({"metadata_missing.context": 0.1})[-1].organ is None

    def test_patient_leakage(self):
        rows = rows_of({"patient_leakage": 0.6})
        ids = [row.patient for row in rows]
        assert ids[:2] == ["P01", "P02"]
        assert {re.sub(r"[^a-z0-9]", "", name.casefold()) for name in ids[2:]} == {"p01"}
        assert len(set(ids)) == 4
        source = open_source(config_of({"patient_leakage": 0.6}), rows, ())
        assert source.member("P04S1").patient == source.member("P01S1").patient

    def test_resolution_and_corpus(self):
        assert [row.resolution for row in rows_of({"resolution_mismatch": 0.3})] == [
            "spot",
            "spot",
            "cell",
            "cell",
        ]
        assert [row.accession is None for row in rows_of({"shared_corpus": 0.25})] == [
            True,
            True,
            True,
            False,
        ]

    def test_one_panel_becomes_two_versions(self):
        assert len({row.panel for row in rows_of({"panel_effect": 0.5})}) == 2


class TestIdentity:
    def test_slide_leakage(self, clean):
        copy, crop = (read({"slide_leakage": share}, "P04S1") for share in (1, 0.3))
        assert (copy.counts != clean.counts).nnz == 0
        assert len(crop.unit_names) == 30
        assert set(crop.unit_names) < set(clean.unit_names)
        assert (read({"slide_leakage": 1}, "P02S1").counts != read({}, "P02S1").counts).nnz == 0

    @pytest.mark.parametrize("share", [0.05, 0.3])
    def test_duplicates(self, share):
        names = read({"duplicate_units.names": share})
        assert 1 - len(set(names.unit_names)) / 100 == pytest.approx(share, abs=0.03)
        places = read({"duplicate_units.places": share})
        assert 1 - len(np.unique(places.xy_um, axis=0)) / 100 == pytest.approx(share, abs=0.03)
        assert len(set(places.unit_names)) == 100
        counts = read({"duplicate_units.counts": share})
        assert 1 - len(np.unique(counts.counts.toarray(), axis=0)) / 100 == pytest.approx(share, abs=0.03)
        whole = read({"duplicate_units": share})
        assert len(set(whole.unit_names)) == len(np.unique(whole.xy_um, axis=0)) < 100


class TestMatrix:
    @pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
    def test_empty_units(self, share):
        slide = read({"empty_units": share})
        assert (total(slide) == 0).mean() == pytest.approx(share)
        assert slide.counts.dtype == np.int32

    @pytest.mark.parametrize("share", [0.1, 0.5])
    def test_one_unit_gathers_what_others_lose(self, share):
        clean, slide = read({}), read({"empty_units.gathered": share})
        assert total(slide).sum() == total(clean).sum()
        assert total(slide)[-1] / total(slide).sum() == pytest.approx(share, abs=0.02)
        np.testing.assert_allclose(total(slide)[:-1].sum() / total(clean)[:-1].sum(), 1 - share, atol=0.02)
        assert slide.counts.dtype == np.int32

    def test_normalised(self):
        slide = read({"normalised_not_counts": 1})
        np.testing.assert_allclose(np.expm1(slide.counts.toarray()).sum(axis=1), 1e4)
        assert read({"normalised_not_counts": 0.25}, "P01S1").counts.dtype == np.int32
        np.testing.assert_allclose(total(read({"normalised_not_counts.scaled": 1})), 1e4)
        equal = read({"normalised_not_counts.equal_totals": 1})
        assert equal.counts.dtype == np.int32
        assert total(equal).std() / total(equal).mean() < 0.01

    @pytest.mark.parametrize("share", [0.01, 0.5])
    def test_no_numbers(self, share, clean):
        for kind, bad in (("", np.isnan), (".infinite", np.isinf), (".negative", lambda x: x < 0)):
            data = read({f"nonfinite_negative{kind}": share}).counts.data
            assert bad(data).mean() == pytest.approx(share, abs=0.01)
            assert len(data) == clean.counts.nnz

    def test_corrected(self):
        half, whole = (read({"batch_corrected_eval": s}).counts.toarray().mean(axis=0) for s in (0.5, 1))
        np.testing.assert_allclose(whole, 0, atol=1e-12)
        assert (half > 0).all()

    @pytest.mark.parametrize(("share", "n"), [(0.01, 1), (0.5, 20), (1, 40)])
    def test_controls(self, share, n):
        genes = read({"controls_in_matrix": share}).genes
        assert sum(name.startswith("NegControlProbe") for name in genes) == n

    @pytest.mark.parametrize(("share", "n"), [(0.05, 1), (0.5, 10), (1, 20)])
    def test_antibodies(self, share, n, clean):
        slide = read({"controls_in_matrix.antibodies": share})
        assert slide.genes[:-n].tolist() == clean.genes.tolist()
        assert slide.genes[-n] == "PanCK"
        added = slide.counts[:, -n:].toarray()
        np.testing.assert_allclose(added.mean(axis=0), 100, atol=3)
        assert added.sum() > n / 4 * clean.counts.sum() / len(clean.genes)


class TestGenes:
    def test_ids(self, clean):
        ensembl = read({"gene_ids": 0.25}).genes
        assert sum(bool(re.fullmatch(r"ENSG\d{11}", name)) for name in ensembl) == 30
        assert sum("-" in name and name[0].isdigit() for name in read({"gene_ids.dates": 1}).genes) == 24
        assert sum(bool(re.search("[a-z]", name)) for name in read({"gene_ids.mouse": 0.5}).genes) >= 50
        aliases = read({"gene_ids.aliases": 1}, genes=334).genes
        assert set(aliases) & set(gene_aliases())
        assert len(set(ensembl)) == len(clean.genes)

    @pytest.mark.parametrize("share", [0.3, 0.8])
    def test_panels_differ(self, share):
        source = open_source(config_of({"panel_mismatch": share}), (), ())
        panels = [set(source.genes(slide)) for slide in SLIDES]
        assert all(len(genes) == round(120 * (1 - share)) for genes in panels)
        assert len(set.intersection(*panels)) < 120 * (1 - share) ** 2 + 15

    def test_housekeeping(self):
        assert set(read({"housekeeping_only_panel": 1}).genes) <= housekeeping()
        genes = set(read({"housekeeping_only_panel": 0.5}).genes)
        assert len(genes & housekeeping()) / len(genes) == pytest.approx(0.5, abs=0.03)

    def test_coverage(self):
        asked = {g for members in signatures().values() for g in members}
        asked |= {g for pair in lr_pairs() for g in (pair.ligand, pair.receptor)}
        assert not asked & set(read({"task_gene_coverage": 1}).genes)
        assert set(read({"task_gene_coverage": 0.5}).genes) & asked

    @pytest.mark.parametrize("share", [0.2, 0.6])
    def test_sparse_genes_are_the_same_on_all_slides(self, share):
        sparse = [(read({"gene_sparsity": share}, s).counts > 0).mean(axis=0).A1 < 0.1 for s in SLIDES[:2]]
        assert sparse[0].mean() == pytest.approx(share, abs=0.03)
        assert (sparse[0] == sparse[1]).mean() > 0.97

    def test_flat_genes(self, clean):
        slide = read({"ubiquitous_low_variability": 0.2})
        detection = (slide.counts > 0).mean(axis=0).A1
        rate = slide.counts.toarray() / total(clean)[:, None]
        cv = rate.std(axis=0) / rate.mean(axis=0)
        flat = (detection > 0.95) & (cv < 0.6)
        assert flat.sum() >= 24

    def test_noisy_genes_vary_without_pattern(self, clean):
        slide = read({"hvg_not_svg": 0.3})
        changed = np.flatnonzero((slide.counts != clean.counts).getnnz(axis=0) > 50)
        assert 25 <= len(changed) <= 36
        dispersion = [
            s.counts.toarray()[:, changed].var(axis=0) / s.counts.toarray()[:, changed].mean(axis=0) ** 2
            for s in (slide, clean)
        ]
        assert np.median(dispersion[0]) > 4 * np.median(dispersion[1])

    def test_shuffled_places(self, clean):
        for share in (0.2, 1):
            slide = read({"no_spatial_signal": share})
            moved = (slide.xy_um != clean.xy_um).any(axis=1).mean()
            assert share - 0.05 <= moved <= share
            assert (slide.counts != clean.counts).nnz == 0
            assert {tuple(p) for p in slide.xy_um} == {tuple(p) for p in clean.xy_um}

    @pytest.mark.parametrize("strength", [0.3, 1])
    def test_panel_effect(self, strength, clean):
        first, second = (read({"panel_effect": strength}, s).counts.sum(axis=0).A1 + 1 for s in SLIDES[:2])
        plain = clean.counts.sum(axis=0).A1 + 1
        assert np.log(first / plain).std() > strength
        assert np.corrcoef(np.log(first / plain), np.log(second / plain))[0, 1] < 0.5

    def test_patient_effect(self):
        def spread(defects):
            means = np.stack(
                [read(defects, s, setting="no_signal").counts.sum(axis=0).A1 + 1 for s in SLIDES]
            )
            return np.log(means).std(axis=0).mean()

        assert spread({}) < spread({"patient_effect": 0.2}) < spread({"patient_effect": 1})

    def test_library_size(self):
        def share_bound(defects):
            slide = read(defects, units=300)
            size = total(slide)
            rank = np.argsort(np.argsort(slide.counts.toarray() / size[:, None], axis=0), axis=0)
            rho = [abs(np.corrcoef(column, np.argsort(np.argsort(size)))[0, 1]) for column in rank.T]
            return np.median(rho)

        weak, strong = (share_bound({"library_size_confounding": s}) for s in (0.3, 1))
        assert share_bound({}) < weak < strong
        assert strong > 0.3


class TestGeometry:
    def test_coordinates(self, clean):
        assert np.isnan(read({"missing_coords": 0.3}).xy_um).all(axis=1).mean() == pytest.approx(0.3)
        assert not read({"missing_coords.zero": 1}).xy_um.any()
        np.testing.assert_allclose(read({"missing_coords.index": 1}).xy_um * 100, clean.xy_um)
        np.testing.assert_allclose(read({"missing_coords.pixels": 1}).xy_um / 2, clean.xy_um)
        assert np.array_equal(read({"missing_coords.pixels": 0.25}).xy_um, clean.xy_um)

    def test_xisium(self, clean):
        square = read({"xisium_geometry": 1})
        assert rows_of({"xisium_geometry": 1})[0].resolution == "xisium"
        steps = np.abs(square.xy_um[:, None] - square.xy_um[None]).sum(axis=2)
        assert (steps == 55.0).sum(axis=1).max() == 4
        wide = read({"xisium_geometry.pitch": 0.5})
        np.testing.assert_allclose(wide.xy_um, 1.1 * clean.xy_um)
        assert wide.pitch_um == 100.0

    def test_images(self, clean):
        plain = clean.image.pixels()
        np.testing.assert_array_equal(read({"image_registration": 1}).image.pixels(), plain[:, ::-1])
        shifted = read({"image_registration.shift": 0.2}).image.pixels()
        by = round(200 / 2 / np.sqrt(2))
        np.testing.assert_array_equal(shifted[by:, by:], plain[:-by, :-by])
        assert read({"image_registration.scale": 0.4}).image.mpp == pytest.approx(2.4)
        white = read({"image_registration.background": 0.5}).image.pixels()
        assert (white[:, : plain.shape[1] // 2] == 255).all()


class TestLabels:
    def test_missing_and_shifted(self, clean):
        lost = read({"label_alignment": 0.4}).labels["niche"]
        assert sum(label is None for label in lost) == 40
        shifted = read({"label_alignment.shifted": 1}).labels["niche"]
        assert sorted(shifted) == sorted(clean.labels["niche"])
        assert (shifted != clean.labels["niche"]).any()

    def test_imbalance(self, clean):
        def largest(labels):
            return np.unique(labels.astype(str), return_counts=True)[1].max()

        shares = [largest(read({"class_imbalance": s}).labels["niche"]) for s in (0.3, 0.6, 1)]
        assert largest(clean.labels["niche"]) < shares[0] < shares[1] < shares[2] == 100
        few = [set(read({"class_imbalance.one_patient": 0.2}, s).labels["niche"]) for s in SLIDES]
        assert all("immune" not in labels for labels in few[:-1])
