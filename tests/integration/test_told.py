"""What a model is told in a run: device, processors, names of genes."""

from __future__ import annotations

MODEL = """
class Told(Mean):
    def fit(self, train, task):
        assert task.device == "cuda:7", task.device
        assert task.n_jobs >= 1
        assert task.reference is None
        assert dict(task.ensembl_ids) == {}
        assert all(names for names in task.former_symbols.values())
        super().fit(train, task)


@pytest.fixture
def told():
    return Told
"""


def test_the_task_says_where_to_compute_and_what_genes_were_called(make_bench):
    lab = make_bench("lab")
    lab.task("told", {"datasets": {"sim": {"params": {"patients": 3}}}}, claim="exploratory")
    lab.conftest(MODEL)
    item = "told.stbench.yaml::contract[sim-lopo-P01]"
    run = lab.run("--stbench-model=told", "--stbench-device=cuda:7", item)
    assert run.outcome("contract[sim-lopo-P01]") == "passed"


def test_all_genes_of_a_whole_transcriptome_are_not_held_back_for_lack_of_biology(make_bench):
    lab = make_bench("lab")
    wanted = {
        "preprocess": {"genes": {"select": "all", "n": None}},
        "checks": {"housekeeping_only_panel": {"min_eta2": 0.9, "min_moran": 0.9, "reason": "stricter"}},
    }
    lab.task("panel", wanted)
    lab.task("whole", wanted, {"datasets": {"sim": {"panel": "whole_transcriptome"}}})
    item = "housekeeping_only_panel[sim]"
    run = lab.run(f"panel.stbench.yaml::{item}")
    assert run.outcome(item) == "failed"
    run = lab.run(f"whole.stbench.yaml::{item}")
    assert run.outcome(item) == "passed"
    assert any("housekeeping_only_panel" in text for text in run.warnings)
