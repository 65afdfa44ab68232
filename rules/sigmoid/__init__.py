"""What belongs to sigmoids before losses on probabilities (DDP203): what must change when such a sigmoid goes."""
