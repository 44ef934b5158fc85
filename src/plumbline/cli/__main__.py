"""``python -m plumbline.cli``."""

import sys

from plumbline.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
