"""Task packs: added from a folder or a package, collected, seen when they change, named in results."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from pytest_stbench.cli import main
from pytest_stbench.results import load
from pytest_stbench.spec.pack import fingerprint_of, load_pack, pack_said

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "stbench-consortium" / "stbench_consortium"
NAMES = ["consortium-imputation", "consortium-other-cohort"]
RECORD = "consortium.stbench-pack.json"
MANIFEST = "stbench-pack.yaml"


@pytest.fixture
def pack(tmp_path):
    """A copy of the pack of docs/examples."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "pack", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture
def stbench(bench, monkeypatch):
    """Runs ``stbench tasks`` in the folder of the bench; returns exit code and all it said."""
    monkeypatch.chdir(bench.folder)

    def command(*arguments):
        done = CliRunner().invoke(main, ["tasks", *map(str, arguments)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.output

    return command


@pytest.fixture
def small(tmp_path, bench):
    """Makes a pack of the small task that the benches have, under names of choice."""

    def make(name, *tasks, version="1.0", **changes):
        folder = tmp_path / f"pack-{name}"
        folder.mkdir(exist_ok=True)
        for task in tasks:
            bench.task(task, **changes).rename(folder / f"{task}.stbench.yaml")
        manifest = f"stbench_pack: 1\nname: {name}\nversion: '{version}'\ntitle: small\n"
        (folder / MANIFEST).write_text(manifest)
        return folder

    return make


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Puts a package with packs on the path, as an installation is seen."""
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def install(distribution, **packs):
        lines = []
        for name, folder in packs.items():
            module = f"{distribution.replace('-', '_')}_{name}"
            if folder is not None:
                shutil.copytree(folder, site / module, dirs_exist_ok=True)
                (site / module / "__init__.py").touch()
            lines.append(f"{name} = {module}")
        info = site / f"{distribution.replace('-', '_')}-1.dist-info"
        info.mkdir(exist_ok=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[pytest_stbench.tasks]\n" + "\n".join(lines) + "\n")
        return site

    return install


def test_a_folder_is_added_collected_and_listed(bench, pack, stbench):
    code, said = stbench("add", pack)
    assert code == 0, said
    assert "tasks/consortium.stbench-pack.json: consortium 1.0.0, 2 tasks, fingerprint " in said
    assert "licence: CC0-1.0" in said
    record = json.loads((bench.folder / "tasks" / RECORD).read_text())
    assert record["fingerprint"] == fingerprint_of(record["files"]) == load_pack(pack).fingerprint
    assert sorted(record["tasks"]) == NAMES
    assert (bench.folder / "tasks" / record["source"]).resolve() == pack
    run = bench.run("tasks", "--collect-only", "--stbench-model=mean", "-q")
    assert run.code == 0, run.out
    files = [f"tasks/{RECORD}::{name}.stbench.yaml" for name in NAMES]
    assert {nodeid.rpartition("::")[0] for nodeid in run.nodeids} == set(files)
    one = next(nodeid for nodeid in run.nodeids if nodeid.startswith(f"{files[1]}::spearman_gene"))
    chosen = bench.run(one, "--collect-only", "--stbench-model=mean", "-q")
    assert chosen.nodeids == [one]
    code, said = stbench("list")
    assert code == 0
    (row,) = [line for line in said.splitlines() if line.startswith("consortium ")]
    assert record["fingerprint"][:12] in row
    assert row.endswith(f"tasks/{RECORD}: as it was added")


def test_a_pack_is_scored_with_the_model_of_the_project_and_named_in_results(bench, small, stbench, page_of):
    folder = small("small", "packed")
    assert stbench("add", folder)[0] == 0
    run = bench.run("tasks", "--stbench-model=mean", "--stbench-save=r.json", "-k", "rmse")
    assert run.code == 0, run.out
    (task,) = load(bench.folder / "r.json").tasks
    assert task.name == "packed"
    assert task.pack == f"small 1.0 ({load_pack(folder).fingerprint[:12]})"
    assert f"pack {task.pack}" in page_of(bench.folder / "r.json")
    plain = bench.run("mini.stbench.yaml", "--stbench-model=mean", "--stbench-save=p.json", "-k", "rmse")
    assert plain.code == 0
    assert load(bench.folder / "p.json").tasks[0].pack is None


@pytest.fixture
def page_of():
    def read(path):
        done = CliRunner().invoke(main, ["report", str(path), "-o", str(path.with_suffix(".html"))])
        assert done.exit_code == 0, done.output
        return path.with_suffix(".html").read_text()

    return read


def test_a_package_is_added_by_its_name_or_that_of_its_pack(bench, pack, stbench, installed):
    site = installed("stbench-consortium", consortium=pack)
    code, said = stbench("list")
    assert code == 0
    assert "installed, not added: `stbench tasks add consortium`" in said
    texts = []
    for given in ("consortium", "stbench-consortium", "Stbench_Consortium"):
        code, said = stbench("add", given, "--to", "packs")
        assert code == 0, said
        texts.append((bench.folder / "packs" / RECORD).read_text())
    assert len(set(texts)) == 1
    assert '"source": "stbench-consortium"' in texts[0]
    assert "it was there already, as it is" in said
    run = bench.run("packs", "--collect-only", "--stbench-model=mean", "-q")
    assert run.code == 0, run.out
    shutil.rmtree(site / "stbench_consortium-1.dist-info")
    run = bench.run("packs", "--collect-only", "--stbench-model=mean", "-q")
    assert run.code == 2
    assert "the pack consortium 1.0.0 cannot be used: no installed package brings a task pack" in run.out


CHANGES = {
    "edited": (lambda folder: (folder / "gates.stbench-inc.yaml").write_text("gates: {}\n"),
               "changed: gates.stbench-inc.yaml"),
    "new": (lambda folder: (folder / "more.csv").write_text("gene\nA\n"), "new: more.csv"),
    "gone": (lambda folder: (folder / "consortium-imputation.stbench.yaml").unlink(),
             "gone: consortium-imputation.stbench.yaml"),
    "version": (lambda folder: (folder / MANIFEST).write_text(
        (folder / MANIFEST).read_text().replace("1.0.0", "1.1.0")),
        "version 1.1.0 here, 1.0.0 when it was added; changed: stbench-pack.yaml"),
}  # fmt: skip


@pytest.mark.parametrize("kind", CHANGES)
def test_a_pack_that_changed_since_is_refused_until_it_is_added_again(bench, pack, stbench, kind):
    change, said = CHANGES[kind]
    assert stbench("add", pack)[0] == 0
    change(pack)
    run = bench.run("tasks", "--collect-only", "--stbench-model=mean", "-q")
    assert run.code == 2
    (error,) = run.collect_errors
    assert f"tasks/{RECORD}: the pack consortium is not what was added: {said}. `stbench tasks add`" in error
    assert "Traceback" not in run.out
    assert f"changed since: {said}" in stbench("list")[1]
    code, told = stbench("add", pack)
    assert code == 0
    assert f"it was another one: {said}" in told
    assert bench.run("tasks", "--collect-only", "--stbench-model=mean", "-q").code == 0


def test_what_python_and_editors_leave_is_no_change(bench, pack, stbench):
    assert stbench("add", pack)[0] == 0
    (pack / "__pycache__").mkdir()
    (pack / "__pycache__" / "x.pyc").write_bytes(b"x")
    (pack / ".gates.swp").write_text("x")
    assert "as it was added" in stbench("list")[1]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: text.replace('"version": "1.0.0"', '"version": 1'), "version: missing, unknown, or of"),
        (
            lambda text: text.replace("stbench-pack/1", "stbench-pack/2"),
            "no record of a task pack of the schema",
        ),
        (lambda text: text[: len(text) // 2], "the file of record cannot be read"),
        (lambda text: "[]", "no record of a task pack"),
        (lambda text: text.replace('"files": {', '"files": {"evil": "0",'), "the record was changed by hand"),
        (lambda text: text.replace('"name": "consortium"', '"name": "other"'), "changed by hand"),
    ],
)
def test_a_record_that_was_edited_is_refused(bench, pack, stbench, spoil, said):
    assert stbench("add", pack)[0] == 0
    path = bench.folder / "tasks" / RECORD
    text = path.read_text()
    path.write_text(spoil(text))
    assert path.read_text() != text
    run = bench.run("tasks", "--collect-only", "--stbench-model=mean", "-q")
    assert run.code == 2
    assert said in run.out
    assert "Traceback" not in run.out
    assert said in stbench("list")[1]
    assert stbench("add", pack)[0] == 0
    assert path.read_text() == text


def test_packs_with_one_task_name(bench, small, stbench):
    one, two = small("one", "same", "own"), small("two", "same")
    assert stbench("add", one)[0] == 0
    code, said = stbench("add", two)
    assert code == 2
    assert "the pack two has 1 task of a name that is taken: same (in the pack one (tasks/one.stbench" in said
    assert not (bench.folder / "tasks" / "two.stbench-pack.json").exists()
    assert stbench("add", two, "--to", "apart")[0] == 0
    run = bench.run("tasks", "apart", "--collect-only", "--stbench-model=mean", "-q")
    assert run.code == 2
    (error,) = run.collect_errors
    assert "the task same is in the pack of" in error
    assert bench.run("apart", "--collect-only", "--stbench-model=mean", "-q").code == 0


def test_a_task_file_of_the_project_may_have_the_name(bench, small, stbench):
    (bench.folder / "tasks").mkdir()
    (bench.folder / "mini.stbench.yaml").rename(bench.folder / "tasks" / "mini.stbench.yaml")
    code, said = stbench("add", small("one", "mini"))
    assert code == 2
    assert "mini (in tasks/mini.stbench.yaml)" in said


def manifest(folder, **changes):
    keys = {"stbench_pack": "1", "name": "small", "version": "'1.0'", "title": "x", **changes}
    (folder / MANIFEST).write_text("".join(f"{k}: {v}\n" for k, v in keys.items() if v is not None))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": "1.0"}, 'stbench-pack.yaml:3: version: found 1.0; expected text: write "1.0" in quotes'),
        ({"version": "first"}, "version: found 'first', not a version"),
        ({"name": "Two Words"}, "name: found 'Two Words', not a name"),
        ({"title": None}, "title: is missing"),
        ({"require": "'>=1'"}, "require: unknown key; did you mean 'requires'?"),
        ({"requires": "newest"}, "requires: found 'newest', no versions: write such as"),
        ({"stbench_pack": "2"}, "stbench_pack: found 2"),
        ({"requires": "'>=99'"}, "the pack small 1.0 needs pytest-stbench >=99; this is "),
    ],
)
def test_a_manifest_with_mistakes(small, stbench, bench, changes, said):
    folder = small("small", "packed")
    manifest(folder, **changes)
    code, told = stbench("add", folder)
    assert code == 2
    assert said in told
    assert not (bench.folder / "tasks").exists()
    run = bench.run(folder / "packed.stbench.yaml", "--collect-only", "--stbench-model=mean", "-q")
    assert run.code == 2
    assert said.split(": ")[-1] in run.out


def test_what_is_no_pack(small, stbench, bench, installed, tmp_path):
    folder = small("small", "packed")
    (folder / MANIFEST).unlink()
    assert f"{folder} is no task pack: it has no stbench-pack.yaml" in stbench("add", folder)[1]
    manifest(folder)
    (folder / "packed.stbench.yaml").unlink()
    assert "the pack small has no task file" in stbench("add", folder)[1]
    assert "is no folder: name a folder with a pack" in stbench("add", tmp_path / "nowhere")[1]
    code, said = stbench("add", "nobody")
    assert code == 2
    assert "no installed package brings a task pack called 'nobody'" in said
    assert "installed packs: none" in said
    installed("two-packs", a=small("a", "ta"), b=small("b", "tb"))
    assert "two-packs brings several packs: add one of a, b by its name" in stbench("add", "two-packs")[1]
    assert "did you mean 'two-packs'?" in stbench("add", "two-pack")[1]
    installed("broken", gone=None)
    assert "names no package with a folder" in stbench("add", "gone")[1]
    installed("misnamed", other=small("a", "ta"))
    assert "the pack is called a, and other in the entry point" in stbench("add", "other")[1]
    assert "the pack is called a, and other" in stbench("list")[1]
    assert not (bench.folder / "tasks").exists()


def test_task_files_with_mistakes_are_all_told(small, stbench):
    folder = small("small", "first", "second")
    for name in ("first", "second"):
        path = folder / f"{name}.stbench.yaml"
        path.write_text(path.read_text() + "unknown: 1\n")
    code, said = stbench("add", folder)
    assert code == 2
    for name in ("first", "second"):
        assert f"{name}.stbench.yaml:" in said


def test_one_task_twice_in_a_pack_and_a_pack_where_pytest_looks(small, stbench, bench):
    folder = small("small", "first")
    (folder / "again.stbench.yaml").write_bytes((folder / "first.stbench.yaml").read_bytes())
    assert "again.stbench.yaml and first.stbench.yaml are both called first" in stbench("add", folder)[1]
    (folder / "again.stbench.yaml").unlink()
    inside = bench.folder / "tasks" / "vendored"
    shutil.copytree(folder, inside)
    assert "tasks/vendored lies in tasks, where pytest collects its tasks already" in stbench(
        "add", "tasks/vendored"
    )[1]  # fmt: skip
    (bench.folder / "file").write_text("")
    assert "file is a file: name a folder with --to" in stbench("add", folder, "--to", "file")[1]


@pytest.mark.parametrize("place", ["../gates", "linked/gates", ".hidden/gates"])
def test_a_fragment_whose_change_nobody_would_see_is_refused(small, stbench, bench, tmp_path, place):
    folder = small("small", "first")
    real = tmp_path / "elsewhere"
    real.mkdir()
    (folder / "linked").symlink_to(real, target_is_directory=True)
    fragment = folder / f"{place}.stbench-inc.yaml"
    fragment.parent.mkdir(exist_ok=True)
    fragment.write_text("gates: {spearman_gene: {min: 0.9}}\n")
    task = folder / "first.stbench.yaml"
    task.write_text(f"extends: {place}.stbench-inc.yaml\n{task.read_text()}")
    code, said = stbench("add", folder)
    assert code == 2
    assert "gates.stbench-inc.yaml, which is no file of the pack small" in said
    assert not (bench.folder / "tasks").exists()


def test_data_is_no_part_of_a_pack(small, stbench, monkeypatch):
    from pytest_stbench.spec import pack

    monkeypatch.setattr(pack, "MAX_BYTES", 1000)
    folder = small("small", "first")
    (folder / "counts.h5ad").write_bytes(bytes(1001))
    assert "a pack has task files and small tables" in stbench("add", folder)[1]


def test_a_folder_of_a_pack_that_cannot_be_read_is_one_sentence(small, stbench, monkeypatch):
    folder = small("small", "first")
    (folder / "closed").mkdir()
    inside = Path.iterdir

    def refused(self):
        if self.name == "closed":
            raise PermissionError(13, "Permission denied")
        return inside(self)

    monkeypatch.setattr(Path, "iterdir", refused)
    code, said = stbench("add", folder)
    assert code == 2
    assert "closed: the folder cannot be read: Permission denied" in said


def test_a_manifest_far_above_makes_no_pack(bench, small):
    folder = small("small", "packed")
    near, far = folder / "a" / "b" / "c", folder / "venv" / "lib" / "python" / "site" / "tasks"
    for place in (near, far):
        place.mkdir(parents=True)
        shutil.copy(folder / "packed.stbench.yaml", place / "packed.stbench.yaml")
    assert pack_said(near / "packed.stbench.yaml") == load_pack(folder).said
    assert pack_said(far / "packed.stbench.yaml") is None


def test_packages_above_a_pack_that_cannot_be_imported(small, stbench, installed):
    site = installed("broken", inner=None)
    (site / "broken_inner").mkdir()
    (site / "broken_inner" / "__init__.py").write_text("1 / 0")
    (site / "broken-1.dist-info" / "entry_points.txt").write_text(
        "[pytest_stbench.tasks]\ninner = broken_inner.pack\n"
    )
    code, said = stbench("add", "inner")
    assert code == 2
    assert "names no package with a folder (ZeroDivisionError: division by zero): mend the package" in said


def test_last_failed_and_plan_know_the_items_of_a_pack(bench, small, stbench):
    gate = {"rmse": {"max": 0}}
    assert stbench("add", small("small", "packed", gates=gate))[0] == 0
    plain = ("-p", "no:randomly", "-p", "cacheprovider")
    first = bench.run("tasks", "--stbench-model=train_mean", "-k", "rmse or spearman_gene", plain=plain)
    (failed,) = first.of("failed")
    again = bench.run("tasks", "--stbench-model=train_mean", "--lf", plain=plain)
    assert again.names == [failed]
    planned = bench.run("tasks", "--stbench-model=train_mean", "--stbench-plan")
    assert planned.code == 0
    assert "packed" in planned.out


def test_workers_collect_a_pack_alike(bench, small, stbench):
    assert stbench("add", small("small", "packed"))[0] == 0
    done = bench.subprocess("tasks", "--stbench-model=train_mean", "-n1", "-k", "rmse", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
