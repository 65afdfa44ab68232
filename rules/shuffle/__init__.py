"""What belongs to validation shuffles without a seed (DDP302)."""
