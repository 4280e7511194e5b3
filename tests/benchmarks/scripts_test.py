"""Tests of the figures of the sources' benchmark."""

import numpy as np
from absl.testing import absltest

from benchmarks import scripts


class WilsonTest(absltest.TestCase):
  def test_by_hand(self):
    # Half of 20: (0.5 + 0.09604 -+ 1.96 sqrt(0.0125 + 0.002401)) / 1.19208.
    np.testing.assert_allclose(scripts.wilson(10, 20), (0.2993, 0.7007), 1e-3)

  def test_all_and_none_mirror(self):
    low, high = scripts.wilson(200, 200)
    np.testing.assert_allclose(high, 1.0)
    np.testing.assert_allclose(low, 0.9812, atol=1e-4)
    np.testing.assert_allclose(
      scripts.wilson(0, 200), (1 - high, 1 - low), atol=1e-9
    )


if __name__ == "__main__":
  absltest.main()
