"""Embeddings of units."""
