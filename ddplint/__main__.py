"""`python -m ddplint`."""

from __future__ import annotations

import sys

from ddplint.cli import main

if __name__ == "__main__":
    sys.exit(main())
