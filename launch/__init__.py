"""Command lines, one main per verb."""

import sys

from a2r.core import signals

# What `python -m` has there while it imports the package of its program: being
# asked to stop ends that well from here on.
if sys.argv[:1] == ["-m"]:
  signals.watch()
