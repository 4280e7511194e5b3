"""What ends every control step, in both engines: the state is set right."""

from a2r.sim.tabletop import scene

_DRAWER_LATCH = 0.003  # As good as closed.
_MUG_SLOWEST, _MUG_FASTEST = (1.0, 1.0, 1.0), (1.0, 1.0, 0.2)  # m/s.


def stabilize(qpos, qvel, xp):
  """Ends a control step; `xp` is numpy or jax.numpy.

  The mug is set upright, as DVD does; its spin is dropped and its speed
  limited, for a mug squeezed against the table would be shot away. The drawer
  keeps within its range and stops where it is closed, so that it does not
  bounce.

  Args:
    qpos: `[..., nq]`.
    qvel: `[..., nv]`.
    xp: the array module.

  Returns:
    The next `qpos` and `qvel`.
  """
  drawer = xp.clip(
    qpos[..., scene.DRAWER : scene.DRAWER + 1], *scene.DRAWER_RANGE
  )
  upright = xp.broadcast_to(
    xp.asarray((1.0, 0.0, 0.0, 0.0), qpos.dtype), (*qpos.shape[:-1], 4)
  )
  speed = xp.clip(
    qvel[..., scene.MUG_SPEED],
    -xp.asarray(_MUG_SLOWEST, qvel.dtype),
    xp.asarray(_MUG_FASTEST, qvel.dtype),
  )
  spin = xp.zeros_like(speed)
  slide = qvel[..., scene.DRAWER_SPEED : scene.DRAWER_SPEED + 1]
  slide = xp.where(drawer > -_DRAWER_LATCH, 0.0, slide)
  return (
    xp.concatenate(
      [qpos[..., : scene.MUG.stop], upright, drawer, qpos[..., scene.BUTTON :]],
      axis=-1,
    ),
    xp.concatenate(
      [
        qvel[..., : scene.MUG_SPEED.start],
        speed,
        spin,
        slide,
        qvel[..., scene.DRAWER_SPEED + 1 :],
      ],
      axis=-1,
    ),
  )
