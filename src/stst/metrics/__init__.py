"""Frames -> numbers: low-level statistics, motion, layers, and what a metamer kept."""
