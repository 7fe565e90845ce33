"""Runs of a folder by their date: how each model did on each task, and what changed under it."""
