"""Repairs: findings to edits, edits to a program that is checked again, the program to a diff or to written files."""

from __future__ import annotations
