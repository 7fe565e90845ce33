"""Figures for a paper, made from somebody's slides: each with its numbers and what was measured."""

from __future__ import annotations
