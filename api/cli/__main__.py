"""`python -m api.cli`: the same commands, where the script isn't on the path."""

import sys

from api.cli import main

if __name__ == "__main__":
    sys.exit(main())
