"""Sections of single cells: their places, types, outlines, transcripts and image."""
