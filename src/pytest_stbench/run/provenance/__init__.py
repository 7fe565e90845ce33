"""What scores stand on, as records: task, data sets, models, folds, and the run itself."""

from __future__ import annotations
