"""Rare structures of the tissue."""
