"""Compartments of the tissue."""
