"""`python -m bench`: the same as the installed command."""

import sys

from bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
