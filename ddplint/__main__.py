"""`python -m ddplint`."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    # Python puts the current folder first: a module in the program that is checked must not be imported for a library
    if not getattr(sys.flags, "safe_path", False) and sys.path and sys.path[0] in ("", os.getcwd()):
        del sys.path[0]
    from ddplint.cli import main

    sys.exit(main())
