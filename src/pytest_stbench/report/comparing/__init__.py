"""Runs beside each other: which scores may be compared, and who and what gained and lost."""
