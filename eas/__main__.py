"""`python -m eas` is `petitbleu`."""

import sys

from eas.cli.main import main

sys.exit(main())
