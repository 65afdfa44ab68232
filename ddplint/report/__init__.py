"""Findings as people and programs read them. `formats.py` has the formats by name."""
