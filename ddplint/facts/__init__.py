"""Facts of one file: what its code does, as nested lists of plain values."""
