"""What a run found, for notebooks: tables, pictures, and the file that other tools read."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_stbench.api import plots
from pytest_stbench.errors import ResultsError, StbenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from os import PathLike

    import pandas as pd
    from anndata import AnnData
    from matplotlib.axes import Axes

    from pytest_stbench.results.schema import Results

KINDS = ("scores", "verdicts", "checks", "single")
SHOWN = ("task", "dataset", "variant", "split", "model", "metric", "value", "ci_low", "ci_high", "n_patients",
         "trivial", "baseline", "ceiling", "skill")  # fmt: skip
SHOWN_OF_CHECKS = ("task", "dataset", "split", "model", "id", "name", "status", "message", "fix")


class RunResults:
    """Scores, verdicts and checks of a run, or of a results file.

    Attributes
    ----------
    results
        All records, as :func:`pytest_stbench.results.load` gives them.
    failures
        The message of every item that did not pass, by its name; empty for a file.
    text
        What pytest would have printed; empty for a file.
    """

    def __init__(
        self,
        results: Results,
        *,
        place: Path | None = None,
        text: str = "",
        failures: Mapping[str, str] | None = None,
        saving: Callable[[Path], None] | None = None,
    ) -> None:
        self.results = results
        self.text = text
        self.failures = dict(failures or {})
        self._place = place
        self._saving = saving

    @property
    def passed(self) -> bool:
        """Whether no item failed, no check of the data failed, and no gate was missed."""
        failed = any(check.status == "fail" and not check.waived for check in self.results.checks)
        missed = any(verdict.gated and verdict.verdict == "fail" for verdict in self.results.verdicts)
        return not (self.failures or failed or missed)

    @cached_property
    def single_scores(self) -> pd.DataFrame:
        """Every single score, of each gene, unit, niche or pair (docs/results.md).

        Raises ``ResultsError`` where none are kept.
        """
        from pytest_stbench.results.single_scores import read_scores

        kept = self.results.kept
        if kept is None or kept.scores is None or self._place is None:
            message = "no single scores are kept of this run: save results with --stbench-keep=scores"
            raise ResultsError(message)
        return read_scores(self._kept(kept.scores.file, kept.scores.sha256))

    def map(self, slide: str, task: str | None = None) -> AnnData:
        """Return truth and predictions of a slide, kept with ``keep="maps"``.

        Raises ``ResultsError`` where there is no such map.
        """
        from pytest_stbench.results.slide_maps import read_h5ad

        maps = self.results.kept.maps if self.results.kept else ()
        found = [one for one in maps if one.slide == slide and task in (None, one.task)]
        if not found:
            known = ", ".join(sorted({one.slide for one in maps})) or "none; keep them with keep='maps'"
            raise ResultsError(f"there is no map of the slide {slide!r}; maps are kept of: {known}")
        return read_h5ad(self._kept(found[0].file, found[0].sha256))

    def _kept(self, file: str, sha256: str) -> Path:
        from pytest_stbench.results.details import digest_of_file

        assert self._place is not None  # what is kept was found through it
        assert self.results.kept is not None
        path = self._place.with_name(self.results.kept.folder) / file
        if digest_of_file(path) != sha256:
            raise ResultsError(
                f"{path}: it is missing, or is not the file that the results name: keep the folder beside "
                "the results file, or run again (predictions are kept in the store)"
            )
        return path

    def to_frame(self, kind: str | None = None) -> pd.DataFrame:
        """Return records as a table, one row each.

        Parameters
        ----------
        kind
            ``scores`` (pooled over folds; the default where there are some), ``verdicts``, ``checks``, or
            ``single`` for every single score.

        Raises
        ------
        StbenchError
            For another kind.
        """
        import pandas as pd

        kind = kind or ("scores" if self.results.scores else "checks")
        if kind not in KINDS:
            raise StbenchError(f"to_frame({kind!r}): choose one of {', '.join(KINDS)}")
        if kind == "single":
            return self.single_scores
        records = getattr(self.results, kind)
        if kind == "scores":
            records = [record for record in records if record.fold is None]
        rows = [
            {
                name: value
                for name, value in record.to_dict().items()
                if kind != "scores" or not isinstance(value, dict | list)
            }
            for record in records
        ]
        return pd.DataFrame(rows, columns=list(rows[0]) if rows else None)

    def plot_scores(self, metric: str | None = None, ax: Axes | None = None) -> Axes:
        """Plot the pooled scores of a metric with their intervals, models beside their yardsticks.

        `metric` is the primary one of the first task by default.
        """
        return plots.scores(self.results, metric, ax)

    def plot_patients(self, metric: str | None = None, ax: Axes | None = None) -> Axes:
        """Plot the value of each patient: models, and the trivial and simple baselines beside them."""
        return plots.patients(self.results, metric, ax)

    def plot_genes(self, metric: str | None = None, ax: Axes | None = None) -> Axes:
        """Plot how single scores of a metric (of genes, units, niches ...) spread, for every contestant."""
        return plots.singles(self.results, self.single_scores, metric, ax)

    def plot_checks(self, ax: Axes | None = None) -> Axes:
        """Plot how many checks passed, warned, failed and were skipped, for every data set."""
        return plots.checks(self.results, ax)

    def plot_map(self, slide: str, gene: str, model: str = "truth", ax: Axes | None = None) -> Axes:
        """Plot the truth, or what a model predicted, of one gene on a slide (``keep="maps"``)."""
        return plots.gene_map(self.map(slide), gene, model, ax)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the results file that ``pytest --stbench-save=PATH`` writes, with what is kept beside it.

        Merged with what the file holds, as there. What was loaded from a file is copied, to a new file.

        Raises
        ------
        ResultsError
            When the file holds another version of the same task, data or model, or cannot be written.
        """
        from pytest_stbench.store.lock import one_writer

        target = Path(path).resolve()
        with one_writer(target):
            self._save(target)

    def _save(self, target: Path) -> None:
        if self._saving is not None:
            self._saving(target)
            return
        from pytest_stbench.results.schema import save

        if target.exists():
            message = f"{target}: there is such a file already; results of a file are copied to a new one"
            raise ResultsError(message)
        kept = self.results.kept
        if kept is not None and self._place is not None:
            from pytest_stbench.results.details import folder_of

            there = self._place.with_name(kept.folder)
            if there.is_dir():
                shutil.copytree(there, folder_of(target))
            kept = replace(kept, folder=folder_of(target).name)
        save(target, replace(self.results, kept=kept))

    def __repr__(self) -> str:
        counted = [
            f"{len(records)} {kind}"
            for kind in ("scores", "verdicts", "checks")
            if (records := getattr(self.results, kind))
        ]
        return f"<RunResults: {', '.join(counted) or 'nothing'}{'' if self.passed else ', not passed'}>"

    def _repr_html_(self) -> str:
        parts = []
        if self.results.scores:
            table = self.to_frame("scores")
            own = [name for name in SHOWN if name in table and table[name].astype(str).str.len().any()]
            parts.append(table[table["role"] == "model"][own].to_html(index=False, na_rep="", border=0))
        lines = [
            f"{verdict.metric}, {verdict.model} on {verdict.dataset}: {verdict.verdict}. {verdict.message}"
            for verdict in self.results.verdicts
        ]
        lines += [f"{name}: {message}" for name, message in self.failures.items()]
        parts += [f"<p>{escape(line)}</p>" for line in lines]
        if self.results.checks:
            table = self.to_frame("checks")
            open_ones = table[table["status"].isin(["warn", "fail"])]
            passed = int((table["status"] == "pass").sum())
            parts.append(f"<p>{passed} of {len(table)} checks passed</p>")
            if len(open_ones):
                shown = open_ones[[*SHOWN_OF_CHECKS]].dropna(axis=1, how="all")
                parts.append(shown.to_html(index=False, na_rep="", border=0))
        return "\n".join(parts) or "<p>nothing was found</p>"


def load(path: str | PathLike[str]) -> RunResults:
    """Read a results file, of ``pytest --stbench-save`` or of ``save``.

    Raises
    ------
    ResultsError
        As :func:`pytest_stbench.results.load`.
    """
    from pytest_stbench.results.schema import load as load_results

    place = Path(path).resolve()
    return RunResults(load_results(place), place=place)


def kept_nowhere(text: str) -> str:
    """Return what to say of a run that left no results: the last lines of what it said."""
    lines = [line for line in text.splitlines() if line.strip()]
    return "\n".join(["the run left no results:", *lines[-5:]])
