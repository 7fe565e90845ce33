"""The hooks of the pytest plugin; each only hands over to :mod:`pytest_stbench.collection`.

Every pytest run on a machine where the package is installed loads this module, so it imports
nothing beyond the standard library and pytest.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from pytest_stbench.spec import PACK_SUFFIX, TASK_SUFFIX

if TYPE_CHECKING:
    from pathlib import Path

MARKERS = (
    "stbench: every item of a stbench task file",
    "stbench_check: data-quality check of a stbench task; needs no model",
    "stbench_contract: the model ran and returned what it must",
    "stbench_model_check: checks of a model and of its results",
    "stbench_metric: score of a model",
    "stbench_gate: item that carries a release gate",
)


OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("--stbench-model", {
        "action": "append", "default": [], "metavar": "NAME",
        "help": "model to score: a fixture, a built-in baseline (ridge, train_mean ...), an entry point, or "
        "import:PACKAGE.MODULE:ATTRIBUTE; may be given several times",
    }),
    ("--stbench-data", {
        "metavar": "DIR",
        "help": "folder that paths in task files are relative to (default: $STBENCH_DATA, then the task "
        "file's folder)",
    }),
    ("--stbench-store", {
        "metavar": "DIR", "default": ".stbench",
        "help": "folder of computed predictions, reused by later runs (default: .stbench)",
    }),
    ("--stbench-save", {
        "metavar": "FILE", "help": "write the results as JSON, merged with what the file holds",
    }),
    ("--stbench-keep", {
        "choices": ("scores", "maps", "all"),
        "help": "what is kept beside the results of --stbench-save, in NAME.kept: every single score as "
        "parquet (scores, the default), with it truth and predictions as h5ad (maps: genes of the headline, "
        "at most 200 MB; all: every gene asked)",
    }),
    ("--stbench-report", {
        "metavar": "FILE",
        "help": "write a report as one HTML file that opens offline: verdicts, leaderboard, patients, checks",
    }),
    ("--stbench-compare", {
        "metavar": "FILE",
        "help": "results of an earlier run, or a reference that `stbench approve` wrote, to compare with "
        "(gate not_worse_than)",
    }),
    ("--stbench-gate", {
        "action": "append", "default": [], "metavar": "METRIC.RULE=VALUE",
        "help": "gate a metric as `gates:` of a task file does, such as spearman_gene.min=0.2, in every task "
        "that scores it; may be given several times",
    }),
    ("--stbench-plan", {
        "action": "store_true", "help": "print what would run and which gates could be decided, and stop",
    }),
    ("--stbench-try", {
        "action": "store_true",
        "help": "try models on few units of one fold of every kind, score nothing, say what all will cost",
    }),
    ("--stbench-device", {"metavar": "DEVICE", "help": "task.device of models; with commas one a worker"}),
    ("--stbench-keep-models", {
        "metavar": "DIR", "help": "write the models that this run fits as pickle files into a folder",
    }),
    ("--stbench-retry", {
        "action": "store_true",
        "help": "run cells again in which a model ended the process, and every fold where `fit` fails alike",
    }),
    ("--stbench-no-skip", {
        "action": "store_true",
        "help": "fail where data or a method of the model is missing, instead of skipping, and fit one fold "
        "again in a fresh process",
    }),
)  # fmt: skip


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the plugin."""
    group = parser.getgroup("stbench", "benchmarks of spatial-transcriptomics models")
    for name, how in OPTIONS:
        group.addoption(name, **how)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the hooks that a conftest.py may define."""
    from pytest_stbench import hooks

    pluginmanager.add_hookspecs(hooks)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Before a conftest.py can take ``os._exit`` for itself, see to it that no model passes by it."""
    if getattr(early_config.known_args_namespace, "stbench_model", None):
        from pytest_stbench.collection.skips import keep_exits_honest

        keep_exits_honest(early_config)


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers and, for named models, the fixtures they fall back to."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.pluginmanager.register(Reporting(config), "stbench-reporting")
    if config.hook.pytest_stbench_records.get_hookimpls():
        from pytest_stbench.collection.project import take_records

        take_records(config)
    if config.getoption("markers", default=False):
        from pytest_stbench.collection.session import mark_families

        mark_families(config)
    if config.getoption("stbench_model"):
        from pytest_stbench.calls.process_end import keep_stderr
        from pytest_stbench.collection.model_choice import register_fallbacks

        keep_stderr()
        register_fallbacks(config)
    if config.getoption("stbench_gate"):
        from pytest_stbench.collection.reports import check_given_gates

        check_given_gates(config)
    if any(map(config.getoption, ("stbench_save", "stbench_compare", "stbench_keep"))):
        from pytest_stbench.collection.reports import check_files

        check_files(config)
    if config.getoption("stbench_try"):
        from pytest_stbench.collection.trial_option import check_options

        check_options(config)
    if config.getoption("stbench_report"):
        from pytest_stbench.collection.reports import check_report

        check_report(config)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect task files, and those of a pack where its file of record lies."""
    if not file_path.name.endswith((TASK_SUFFIX, PACK_SUFFIX)):
        return None
    from pytest_stbench.collection.packs import collector_of

    return collector_of(file_path, parent)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Under ``--stbench-try``, keep the contract of one fold of every kind."""
    if config.getoption("stbench_try"):
        from pytest_stbench.collection.trial_option import select

        select(config, items)


@pytest.hookimpl(trylast=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise the items of a task file by the cells of its grid.

    Last of all plugins, so that the parameter of a user's model fixture stands first in the id.
    """
    task = getattr(metafunc.module, "__stbench__", None)
    if task is not None:
        task.parametrise(metafunc)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Under ``-n``, tell a worker the command line of the run."""
    from pytest_stbench.collection.keep_option import FOLDER, PARTS
    from pytest_stbench.collection.session import ARGUMENTS

    if FOLDER in node.config.stash:
        node.workerinput[PARTS] = str(node.config.stash[FOLDER])
    node.workerinput[ARGUMENTS] = [str(argument) for argument in node.config.invocation_params.args]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Under ``-n``, keep the items of one cell of the grid on one worker."""
    if not config.getoption("stbench_model") or config.getoption("dist") != "load":
        return None
    if config.getoption("reruns", None):  # scheduling by groups can wait for ever after a worker died
        return None
    from pytest_stbench.collection.schedule import CellScheduling

    return CellScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Attach what an item has to tell to its report, which xdist carries to the controller."""
    if item.get_closest_marker("stbench") is None:
        return (yield)
    from pytest_stbench.calls.process_end import end_forked_child
    from pytest_stbench.collection.reports import attach
    from pytest_stbench.collection.skips import PROCESS, own_outcome

    end_forked_child(item.stash.get(PROCESS, os.getpid()))
    report = yield
    own_outcome(item, call, report)
    attach(item, report)
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> Any:
    """Give blocked, underpowered and not evaluable items letters of their own."""
    if not hasattr(report, "stbench"):
        return None
    from pytest_stbench.collection.item_outcomes import status

    return status(report)


class Reporting:
    """Gathers in one process what the items told; becomes active with the first task file."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._started = time.time()
        self._reported = False

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Gather what an item told."""
        if hasattr(report, "stbench"):
            from pytest_stbench.collection.reports import take_report

            self._reported = True
            take_report(self._config, report)

    @pytest.hookimpl(trylast=True)
    def pytest_warning_recorded(self, warning_message: Any) -> None:
        """Let a warning of this package be said once, whichever process of the run it comes from."""
        if not warning_message.category.__module__.startswith("pytest_stbench."):
            return
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            from pytest_stbench.collection.remarks import say_once

            say_once(reporter, self._config, warning_message)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the results file, once for all workers; a gate that was asked must have been applied."""
        option = self._config.getoption
        if hasattr(self._config, "workerinput") or not (self._reported or option("stbench_gate")):
            return
        from pytest_stbench.collection import reports, short_lines

        short_lines.break_lines(self._config.pluginmanager.getplugin("terminalreporter"))
        if self._reported and option("stbench_save"):
            reports.save(session, self._started)
        if self._reported and option("stbench_report"):
            reports.write_report(session, self._started)
        if option("stbench_gate"):
            reports.require_given_gates(session)

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Show tables, checks and verdicts."""
        if self._reported or self._config.getoption("stbench_gate"):
            from pytest_stbench.collection.terminal import write_summary

            write_summary(terminalreporter, self._config)
        if self._reported and self._config.getoption("stbench_report"):
            from pytest_stbench.collection.reports import tell_report

            tell_report(terminalreporter, self._config)


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Under ``--stbench-plan``, print the plan in the place of running it."""
    if not session.config.getoption("stbench_plan") or session.testsfailed:
        return None
    from pytest_stbench.collection.planning import write_plan

    write_plan(session)
    return True
