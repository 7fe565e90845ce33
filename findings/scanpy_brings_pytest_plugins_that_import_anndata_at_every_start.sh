#!/usr/bin/env bash
# fast-array-utils 1.5.1, which scanpy 1.12.4 requires, registers a pytest plugin (entry point `fast_array_utils` of
# the group pytest11, module `testing.fast_array_utils.pytest`). So every start of pytest in an environment with
# scanpy, even for a project that uses neither, imports fast_array_utils, and through it what is there of anndata,
# zarr, pandas, scipy and numba, and does so again in every worker of pytest-xdist. zarr 3.4.2 registers another one
# (entry point `zarr`), which imports zarr and numpy. A plugin that takes care to import nothing heavy gains nothing
# by it there; `-p no:fast_array_utils -p no:zarr` switches both off.
#
# Exits 0 while that is so, 1 when it changes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/env"
"$work/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  'scanpy==1.12.4' 'fast-array-utils==1.5.1' 'anndata==0.13.4' 'zarr==3.4.2' 'pytest==9.2.0'
mkdir "$work/project"
cd "$work/project"
cat > test_nothing.py <<'PYTHON'
def test_nothing():
    pass
PYTHON
cat > start.py <<'PYTHON'
"""Run pytest over a project of one empty test; print what of the heavy packages was imported."""
import sys
import time

import pytest

start = time.process_time()
code = pytest.main(["-q", "-p", "no:cacheprovider", *sys.argv[1:]])
assert code == 0, code
heavy = [name for name in ("numpy", "scipy", "pandas", "zarr", "numba", "anndata") if name in sys.modules]
print(f"{time.process_time() - start:.1f} s of CPU, {len(sys.modules)} modules, heavy: {' '.join(heavy) or 'none'}")
PYTHON
"$work/env/bin/python" -m pip list 2> /dev/null | grep -i -E '^(anndata|fast-array-utils|numba|pytest|scanpy|zarr) '
with=$("$work/env/bin/python" start.py | tail -1)
without=$("$work/env/bin/python" start.py -p no:fast_array_utils -p no:zarr | tail -1)
zarr=$("$work/env/bin/python" start.py -p no:fast_array_utils | tail -1)
echo "as installed:              $with"
echo "with only that of zarr:    $zarr"
echo "with both switched off:    $without"
[[ $with == *"heavy: "*numba*anndata* ]] || { echo "changed: the plugin no longer imports them"; exit 1; }
[[ $zarr == *"heavy: numpy zarr" ]] || { echo "changed: the plugin of zarr imports something else"; exit 1; }
[[ $without == *"heavy: none" ]] || { echo "changed: something else imports them"; exit 1; }
echo "as described"
