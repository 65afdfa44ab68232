"""What belongs to joints that are made relative to a root twice (DDP301)."""
