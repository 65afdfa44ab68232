"""Repairs of evaluations that cover one rank's shard (DDP101)."""
