from __future__ import annotations

import subprocess
import sys

import pytest

from pytest_stbench.data.atomic import sealed, unsealed
from pytest_stbench.data.samples import load_samples
from pytest_stbench.errors import DataError, DataMissing
from pytest_stbench.registry import Reader
from pytest_stbench.spec.model import DatasetSpec


def spec_of(**parts):
    return DatasetSpec(**{"source": "h5ad", "path": "*.h5ad", **parts})


def table(tmp_path, text, **parts):
    (tmp_path / "samples.csv").write_text(text)
    return load_samples(spec_of(samples="samples.csv", **parts), "d", [tmp_path])


def test_columns_are_mapped_by_keys_and_constants_fill_what_is_open(tmp_path):
    samples = table(
        tmp_path,
        "\ufeffsample,person,hospital,panel,organ,age\nA1, A ,H1,p1,lung,60\nB1,B,,,NA,\n\n",
        keys={"slide": "sample", "patient": "person", "site": "hospital"},
        panel="whole",
        organ="breast",
        technology="ST",
        resolution="spot",
    )
    first, second = samples
    assert (first.slide, first.patient, first.site, first.panel, first.organ) == (
        "A1",
        "A",
        "H1",
        "p1",
        "lung",
    )
    assert dict(first.extra) == {"age": "60"}
    assert (second.site, second.panel, second.organ, second.technology) == (None, "whole", "breast", "ST")
    assert (second.disease, second.preservation, dict(second.extra)) == (None, None, {})


@pytest.mark.parametrize("word", ["", "NA", "nan", "None", "null", "N/A"])
def test_a_missing_patient_stays_missing(tmp_path, word):
    assert table(tmp_path, f"slide,patient\nA1,{word}\n")[0].patient is None


def test_semicolons_of_spreadsheets(tmp_path):
    found = table(tmp_path, "\ufeffslide;patient;age\r\nA1;P 1;60,5\r\n;;\r\n")
    assert [(sample.slide, sample.patient, dict(sample.extra)) for sample in found] == [
        ("A1", "P 1", {"age": "60,5"})
    ]


def test_numbers_with_a_hole_are_those_without_one(tmp_path):
    whole = table(tmp_path, "slide,patient,site,age,done\nA1,1,2,61,True\nB1,2,2,62,False\n")
    holed = table(
        tmp_path, "slide,patient,site,age,done\nA1,1.0,2.0,61.0,TRUE\nB1,2.0,2.0,62.0,false\nC1,,,,\n"
    )
    assert holed[:2] == whole
    assert (holed[2].patient, dict(holed[2].extra)) == (None, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty; a header and one row per slide"),
        ("slide,patient\n", r"no slide below its header \(slide, patient\)"),
        (
            "slide,patient_id\nA1,A\n",
            "no column 'patient'.*columns are slide, patient_id; did you mean 'patient_id'",
        ),
        ("sample,patient\nA1,A\n", "no column 'slide'"),
        ("slide,patient\nA1,A\n\nA1,B\n", r"\.csv:4: slide A1 stands in line 2 already"),
        ("slide,patient,resolution\nA1,A,\nA2,B,spt\n", r"\.csv:3: column resolution: .*'spt' is not known"),
        ("\nslide,donor\nA1,A\n", r"\.csv:2: no column 'patient' \(keys\.patient\)"),
        ("", r"\.csv:1: empty"),
        ("slide,patient\n", r"\.csv:1: no slide below its header"),
        ("slide,patient\nA1\n", "samples.csv:2: 1 cells, the header has 2"),
        ("slide,patient\n,A\n", "samples.csv:2: column slide is empty"),
        ("slide,patient,patient\nA1,A,A\n", "columns named twice: patient"),
        ('slide,patient\nA0,B\n"A1,A\n', r"\.csv:3: cannot be read as a samples table"),
        (
            "slide,patient,resolution\nA1,A,spots\n",
            "resolution 'spots' is not known; allowed are .*did you mean 'spot'",
        ),
    ],
)
def test_mistakes_of_a_table(tmp_path, text, message):
    with pytest.raises(DataError, match=message):
        table(tmp_path, text)


def test_all_mistakes_of_a_table_are_told_at_once(tmp_path):
    text = "slide,patient,resolution\nA1,A,spots\n,B,spot\nC1,C\nA1,D,spot\n"
    with pytest.raises(DataError) as caught:
        table(tmp_path, text, keys={"site": "centre", "patient": "donor"})
    lines = str(caught.value).splitlines()
    assert [line.partition("samples.csv:")[2].split(":")[0] for line in lines] == list("112345")
    with pytest.raises(DataError) as caught:
        table(tmp_path, "slide,patient\n" + ",A\n" * 80)
    assert str(caught.value).endswith("samples.csv: 30 more mistakes: correct these first")


def test_all_slides_that_the_table_lacks_are_told(tmp_path):
    with pytest.raises(DataError, match=r"no slide 'B1'.*\n.*no slide 'C1'"):
        table(tmp_path, "slide,patient\nA1,A\n", slides=["B1", "A1", "C1"])


def test_a_declared_site_column_must_be_there(tmp_path):
    with pytest.raises(DataError, match=r"no column 'centre' \(keys.site\)"):
        table(tmp_path, "slide,patient\nA1,A\n", keys={"site": "centre"})


def test_slides_restrict_the_table(tmp_path):
    text = "slide,patient\nsec_A1,A\nsec_A2,A\nsec_B1,B\n"
    chosen = table(tmp_path, text, slides=("sec_B1", "sec_A1"))
    assert [sample.slide for sample in chosen] == ["sec_A1", "sec_B1"]
    with pytest.raises(DataError, match=r"d\.slides: there is no slide 'sec-B1'; .*did you mean 'sec_B1'"):
        table(tmp_path, text, slides=("sec-B1",))


def test_an_absent_table_says_how_to_get_it(tmp_path):
    with pytest.raises(DataMissing, match="ask the consortium"):
        load_samples(spec_of(samples="no.csv", get="ask the consortium"), "d", [tmp_path])


def test_a_source_without_table_needs_one(tmp_path):
    with pytest.raises(DataError, match="`samples` is needed"):
        load_samples(
            DatasetSpec(source="mine", path="x"),
            "d",
            [tmp_path],
            readers=[Reader(id="R99", name="mine", summary="", target="")],
        )


def test_the_index_reads_one_slide_per_file(tmp_path, write_slide):
    write_slide("B1.h5ad", obs={"organ": ["breast"] * 6, "site": list("abcdef")})
    write_slide("A1.h5ad")
    samples = load_samples(spec_of(technology="ST"), "d", [tmp_path])
    assert [(s.slide, s.patient, s.organ, s.site, s.technology) for s in samples] == [
        ("A1", "A", None, None, "ST"),
        ("B1", "B", "breast", None, "ST"),
    ]


def test_the_index_tells_slides_of_one_file_apart(tmp_path, write_slide):
    obs = {"slide": list("xxyyzz"), "patient": list("ppqqqq")}
    write_slide("all.h5ad", obs=obs)
    samples = load_samples(spec_of(), "d", [tmp_path])
    assert [(s.slide, s.patient) for s in samples] == [("x", "p"), ("y", "q"), ("z", "q")]


@pytest.mark.parametrize(
    ("obs", "keys", "message"),
    [
        ({"slide": list("xxyyzz"), "patient": list("pqqqqq")}, {}, "slide x has several values of .*: p, q"),
        ({}, {"patient": "patients"}, "no column 'patients'.*columns are patient; did you mean 'patient'"),
        ({}, {"slide": "smaple"}, r"no column 'smaple' \(keys.slide\)"),
        ({"slide": ["x", "x", None, "y", "y", "y"]}, {}, "1 units have no value of obs\\['slide'\\]"),
    ],
)
def test_mistakes_of_obs(tmp_path, write_slide, obs, keys, message):
    write_slide("P.h5ad", obs=obs)
    with pytest.raises(DataError, match=message):
        load_samples(spec_of(keys=keys), "d", [tmp_path])


def test_a_file_that_is_no_h5ad_is_named(tmp_path):
    (tmp_path / "A1.h5ad").write_text("not HDF5")
    with pytest.raises(DataError, match=r"A1\.h5ad: cannot be read as h5ad"):
        load_samples(spec_of(), "d", [tmp_path])


def test_the_index_follows_the_file_and_the_keys(tmp_path, write_slide, aged):
    path, store = tmp_path / "A1.h5ad", tmp_path / "store"
    write_slide("A1.h5ad", obs={"donor": ["D"] * 6})
    aged(path)
    assert load_samples(spec_of(), "d", [tmp_path], store)[0].patient == "A"
    entry = next((store / "index").iterdir())
    place = f"index {path.resolve()}"
    known, facts = unsealed(place, entry.read_bytes())
    facts["slides"][0]["patient"] = "kept"
    entry.write_bytes(sealed(place, [known, facts]))
    assert load_samples(spec_of(), "d", [tmp_path], store)[0].patient == "kept"
    assert load_samples(spec_of(keys={"patient": "donor"}), "d", [tmp_path], store)[0].patient == "D"
    entry.write_bytes(entry.read_bytes().replace(b'"A"', b'"B"'))
    assert load_samples(spec_of(), "d", [tmp_path], store)[0].patient == "A"
    write_slide("A1.h5ad", obs={"patient": ["new"] * 6})
    assert load_samples(spec_of(), "d", [tmp_path], store)[0].patient == "new"


@pytest.mark.parametrize("samples", [None, "samples.csv"])
def test_collection_loads_nothing_heavy(tmp_path, write_slide, aged, samples):
    write_slide("A1.h5ad")
    aged(tmp_path / "A1.h5ad")
    (tmp_path / "samples.csv").write_text("slide,patient\nA1,A\n")
    config = spec_of(samples=samples)
    load_samples(config, "d", [tmp_path], tmp_path / "store")
    code = (
        "import sys, pathlib\n"
        "import pytest_stbench.data, pytest_stbench.data.catalogue\n"
        "from pytest_stbench.data.samples import load_samples\n"
        "from pytest_stbench.spec.model import DatasetSpec\n"
        f"config = DatasetSpec(**{config.model_dump(exclude_unset=True)!r})\n"
        f"root = pathlib.Path({str(tmp_path)!r})\n"
        "table = load_samples(config, 'd', [root], root / 'store')\n"
        "heavy = {'numpy', 'pandas', 'scipy', 'anndata', 'h5py', 'PIL', 'scanpy'} & set(sys.modules)\n"
        "print(table[0].patient, sorted(heavy))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("A []\n", "")


@pytest.mark.parametrize(("lines", "line"), [(1, 3), (40_000, 40_002)])
def test_text_that_is_no_utf8_is_told_by_its_line(tmp_path, lines, line):
    rows = b"".join(b"A%d,A\n" % number for number in range(lines))
    (tmp_path / "samples.csv").write_bytes(b"slide,patient\n" + rows + b"B1,M\xfcller\n")
    with pytest.raises(DataError, match=rf"samples\.csv:{line}: cannot be read as a samples table"):
        load_samples(spec_of(samples="samples.csv"), "d", [tmp_path])
