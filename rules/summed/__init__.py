"""What belongs to summed keypoint losses (DDP202)."""

from __future__ import annotations
