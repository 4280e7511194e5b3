"""The simulator as dynamics: the true physics and pictures of a prediction.

Letters as in `a2r.planning.base`.
"""

from a2r.planning import base


def make_dynamics(
  environment: str, *, image_size: int, physics: str = "auto"
) -> base.Dynamics:
  """Returns the simulator of that environment as dynamics.

  Args:
    environment: a name of `sim.ENVIRONMENTS`.
    image_size: S.
    physics: 'c', 'mjx' or 'auto': C where JAX's default device is a CPU, else
      MJX.

  Raises:
    KeyError: an unknown name; the known are listed.
    ValueError: unknown physics or a picture without pixels.
  """
  raise NotImplementedError
