"""Applying codemods: edits, verification, diffs, writing."""
