"""What belongs to zero times parameters (DDP201)."""
