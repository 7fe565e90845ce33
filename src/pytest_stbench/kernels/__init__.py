"""Numerical kernels: plain functions from arrays to arrays, with float64 accumulation."""

from __future__ import annotations
