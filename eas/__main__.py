"""`python -m eas` is `petitbleu`."""

import sys

from eas.cli import main

sys.exit(main())
