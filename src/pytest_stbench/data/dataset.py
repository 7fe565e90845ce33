"""A data set: its slides with the same genes on all of them."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pytest_stbench.data.align import AliasedSource, align_columns, genes_of, measured_of, totals, universe_of
from pytest_stbench.data.catalogue import READERS
from pytest_stbench.data.checksums import Checksums, load_manifest
from pytest_stbench.data.gene_ids import ids_by_name
from pytest_stbench.data.holding import Holding
from pytest_stbench.data.images.looking import rules_of
from pytest_stbench.data.label_tables import LabelledSource, find_tables
from pytest_stbench.data.roots import resolve_one
from pytest_stbench.data.slide import Measured, Slide, SlideMeta
from pytest_stbench.data.untrusted import refuse_links_out
from pytest_stbench.data.wording import listing
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.index import loaded
from pytest_stbench.registry import Catalogue, Reader, nearest
from pytest_stbench.spec.defaults import resolution_of
from pytest_stbench.splits.table import Sample, row_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from pytest_stbench.data.readers.protocol import KeepsCounts, RawSlide, SlideSource
    from pytest_stbench.spec.model import DatasetSpec

NO_POLYGONS = "; cells are counted from polygons of cells, not from outlines of nuclei or images of labels"


class Dataset:
    """The slides of one data set of a task file.

    Nothing is read before it is asked for; a slide is read once and held until :meth:`close`.

    Parameters
    ----------
    name
        Its name in the task file.
    config
        What the task file says of it.
    samples
        One row per slide, from :func:`~pytest_stbench.data.samples.load_samples`.
    roots
        Folders in which its paths are looked up, first choice first.
    checksums
        How those of its files are had; by default they are read and not kept. Where it has a manifest,
        they are read in this process, whatever is kept.
    readers
        The known sources; by default those of this package.
    counts
        Returns the counts of a name, made if they are not kept: for sources that draw them, whose method
        ``keep_counts`` takes it. By default nothing is kept.
    holding
        Holds its slides; by default one of its own.
    """

    def __init__(
        self,
        name: str,
        config: DatasetSpec,
        samples: Sequence[Sample],
        roots: Sequence[Path],
        *,
        checksums: Checksums | None = None,
        readers: Iterable[Reader] = READERS,
        counts: KeepsCounts | None = None,
        holding: Holding | None = None,
    ) -> None:
        self.name = name
        self.config = config
        self.samples = tuple(samples)
        self._roots = tuple(roots)
        checksums = checksums or Checksums()
        self._checksums = replace(checksums, anew=checksums.anew or config.sha256 is not None)
        self._readers = tuple(readers)
        self._counts = counts
        self._samples = {sample.slide: sample for sample in self.samples}
        self._slides: dict[str, Slide] = {}
        self._holding = holding or Holding()
        self._notes: dict[str, dict[str, int]] = {}
        self._renamed: dict[str, str] = {}

    @property
    def slide_ids(self) -> tuple[str, ...]:
        """Ids of all slides, in the order of the samples table."""
        return tuple(self._samples)

    @cached_property
    def panels(self) -> Mapping[str, tuple[str, ...]]:
        """The genes each slide measured, by slide id, in the order of its file."""
        return MappingProxyType(genes_of(self._source, self.slide_ids))

    @cached_property
    def genes(self) -> NDArray[np.str_]:
        """The genes that are columns of every slide, (G,), sorted.

        Those that any slide measured where absent genes count as zero or are masked, else those
        that all slides measured. Empty when slides have no gene in common.
        """
        return universe_of(self.panels.values(), union=self.config.absent_gene != "intersect")

    @property
    def offers(self) -> frozenset[str]:
        """What all slides have beside counts: of ``image``, ``embedding``, ``transcripts``."""
        return self._source.offers()

    @property
    def labels_without_slide(self) -> tuple[str, ...]:
        """Slides that have a table of labels, and are neither in the data set nor left out by name.

        Where ``slides`` chooses among the slides, the others are left out on purpose.
        """
        if self.config.labels is None or self.config.slides is not None:
            return ()
        return tuple(sorted({*self._label_tables} - {*self._samples, *self.config.labels.leave_out}))

    @property
    def renamed(self) -> Mapping[str, str]:
        """Retired symbols of the files and the current symbol under which each was read."""
        _ = self._source
        return MappingProxyType(self._renamed)

    @cached_property
    def ensembl_ids(self) -> Mapping[str, str]:
        """The Ensembl id, without version, of every gene of which a file says one, by its name here."""
        _ = self._source
        return MappingProxyType(
            ids_by_name(self._read_by, self.slide_ids, self.genes.tolist(), self._renamed)
        )

    @property
    def notes(self) -> Mapping[str, Mapping[str, int]]:
        """What was counted while slides were read: note -> slide id -> number.

        ``units``, ``genes`` (measured), ``genes_not_shared`` (left out because another slide did
        not measure them), ``duplicate_symbols_summed`` and further notes of the reader, and what was
        counted of outlines so far.
        """
        self._note_outlines()
        return MappingProxyType(self._notes)

    @cached_property
    def checksum(self) -> str:
        """The sha256 of all the slides depend on: names and content of files, samples table."""
        digest = hashlib.sha256(self._source.fingerprint().encode())
        files = {slide_id: tuple(self._source.files(slide_id)) for slide_id in sorted(self.slide_ids)}
        found = self._checksums.of(path for paths in files.values() for path in paths)
        for slide_id, paths in files.items():
            for path in paths:
                digest.update(f"\n{slide_id}\0{path.name}\0{found[path]}{rules_of(path)}".encode())
        digest.update("\n".join(sorted(map(row_text, self.samples))).encode())
        return digest.hexdigest()

    def file_hashes(self, slide_id: str) -> tuple[str, ...]:
        """Return the sha256 of each file of a slide, as ``sha256sum`` prints them."""
        files = tuple(self._source.files(slide_id))
        found = self._checksums.of(files)
        return tuple(found[path] for path in files)

    def slide(self, slide_id: str) -> Slide:
        """Return a slide, read at the first call.

        Raises ``DataError`` when there is no such slide or it cannot be read, ``DataMissing``
        when the data is not on this machine.
        """
        if slide_id not in self._samples:
            raise DataError(
                f"datasets.{self.name}: there is no slide {slide_id!r}; "
                f"it has {listing(self._samples)}{nearest(slide_id, self._samples)}"
            )
        if slide_id not in self._slides:
            read = self._aligned(self._source.read(slide_id), self._samples[slide_id])
            self._slides[slide_id] = self._holding.hold(read)
        return self._slides[slide_id]

    def slides(self) -> Iterator[Slide]:
        """Yield all slides in the order of the samples table."""
        for slide_id in self.slide_ids:
            yield self.slide(slide_id)

    def close(self) -> None:
        """Forget the slides that were read; they are read again when they are next asked for."""
        self._note_outlines()
        self._slides.clear()

    def _note_outlines(self) -> None:
        """Keep what was counted of the outlines of the slides in memory, which are read after them."""
        for slide_id, slide in self._slides.items():
            for outlines in slide.segmentations.values():
                for note, number in outlines.notes.items():
                    self._notes.setdefault(note, {})[slide_id] = number

    @cached_property
    def _source(self) -> SlideSource:
        record = Catalogue("source", self._readers)[self.config.source]
        source: SlideSource = loaded(record)(self.config, self.samples, self._roots)
        self._read_by: Any = source
        for slide_id in self.slide_ids:
            refuse_links_out(source.files(slide_id), self._roots)
        self._verify(source)
        if self._counts is not None and hasattr(source, "keep_counts"):
            source.keep_counts(self._counts)
        if self.config.labels is not None:
            source = LabelledSource(source, self.config, self._label_tables)
        if self.config.bin is not None and resolution_of(self.config) is not None:
            from pytest_stbench.data.binning.source import BinnedSource

            native = {sample.slide: sample.resolution for sample in self.samples}
            source = BinnedSource(source, self.config.bin, native)
        if self.config.aliases:
            aliased = AliasedSource(source, self.slide_ids)
            self._renamed = dict(aliased.renamed)
            # Where nothing is renamed the data are what they would be without it.
            source = aliased if aliased.renamed or aliased.refused else source
        return source

    @cached_property
    def _label_tables(self) -> dict[str, Path]:
        try:
            return find_tables(self.config, self._roots, f"datasets.{self.name}.labels.path")
        except DataMissing as error:
            # The slides are here: without their labels this is not the data set that is declared.
            raise DataError(str(error)) from None

    def _verify(self, source: SlideSource) -> None:
        """Compare the files with the manifest, if there is one.

        The samples table is compared where it is listed: a table of one's own beside published
        data is no change of the data.
        """
        if self.config.sha256 is None:
            return
        what = f"datasets.{self.name}"
        manifest = load_manifest(
            resolve_one(self.config.sha256, self._roots, get=self.config.get, what=f"{what}.sha256")
        )
        files = dict.fromkeys(path for slide_id in self.slide_ids for path in source.files(slide_id))
        manifest.verify(files, self._checksums)
        if self.config.samples is not None:
            table = resolve_one(self.config.samples, self._roots, what=f"{what}.samples")
            if manifest.lists(table):
                manifest.verify([table], self._checksums)

    def _aligned(self, raw: RawSlide, sample: Sample) -> Slide:
        if not len(raw.unit_names):
            raise DataError(
                f"slide {raw.slide_id} has no units; leave it out by `slides`"
                f"{', or form units of its transcripts with `bin`' if raw.transcripts is not None else ''}"
                f"{NO_POLYGONS if raw.segmentations else ''}"
            )
        libsize, n_detected = totals(raw.counts)
        listed = measured_of(self.genes, raw.genes)
        zero = self.config.absent_gene == "zero"
        found = {
            "units": len(raw.unit_names),
            "genes": len(raw.genes),
            "genes_not_shared": len(raw.genes) - int(listed.sum()),
            "genes_absent_taken_as_zero": int((~listed).sum()) if zero else 0,
            **raw.notes,
            **({} if raw.image is None else raw.image.notes),
        }
        for note, number in found.items():
            self._notes.setdefault(note, {})[raw.slide_id] = number
        own = {field.name: getattr(raw, field.name) for field in fields(Measured)}
        own |= {"genes": self.genes, "counts": align_columns(raw.counts, raw.genes, self.genes)}
        return Slide(
            **own,
            meta=self._meta(raw, sample),
            measured=listed | zero,
            libsize=libsize,
            n_detected=n_detected,
        )

    def _meta(self, raw: RawSlide, sample: Sample) -> SlideMeta:
        config = self.config
        return SlideMeta(
            slide_id=sample.slide,
            patient_id=sample.patient,
            site_id=sample.site or config.site,
            technology=sample.technology or config.technology,
            panel_id=sample.panel or config.panel,
            corpus_id=sample.corpus or config.corpus,
            organ=sample.organ or config.organ,
            disease=sample.disease or config.disease,
            preservation=sample.preservation or config.preservation,
            resolution=resolution_of(config) or sample.resolution or config.resolution,
            pitch_um=raw.pitch_um,
        )
