"""Task files: reading, inheritance, validation, schema and fingerprint.

Nothing is imported here: YAML and pydantic load when the first task file is met.
"""

from __future__ import annotations

TASK_SUFFIX = ".stbench.yaml"
PACK_SUFFIX = ".stbench-pack.json"
