"""Outlines of nuclei and cells."""
