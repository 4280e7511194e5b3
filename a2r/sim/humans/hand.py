"""What acts in the procedural human clips: a hand and its arm, or a robot's.

Both have the same parts, so that one program draws either. Lengths are in
meters; where the fingers go is in `motion`.
"""

import jax.numpy as jnp

from a2r.sim.humans import props, scenes
from a2r.sim.rendering import geometry

_UP = jnp.array([0.0, 0.0, 1.0])


def arm(fingertip, drawn: scenes.Arm, skin_rgb, sleeve_rgb):
  """Returns four fingers, a thumb, a palm, and two parts of an arm.

  Args:
    fingertip: `[3]` where the fingers end.
    drawn: where the arm comes from, and what it is.
    skin_rgb: `[3]`.
    sleeve_rgb: `[3]`, of a robot's forearm too.
  """
  hand = _hand(fingertip, drawn, skin_rgb, sleeve_rgb)
  robot = _robot(fingertip, drawn, sleeve_rgb)
  return props.select(drawn.body.is_robot, robot, hand)


def _hand(fingertip, drawn, skin_rgb, sleeve_rgb):
  """A hand and a forearm."""
  width, spread = drawn.body.width, drawn.body.spread
  frame = geometry.align_z(fingertip - drawn.root)
  side, up, forward = frame[:, 0], frame[:, 1], frame[:, 2]
  palm = fingertip - 0.1 * forward
  wrist = fingertip - 0.15 * forward
  cuff = wrist - 0.1 * forward

  def finger(offset):
    base = palm + 0.03 * forward + offset * side
    end = fingertip + 0.6 * offset * side + 0.3 * spread * up
    return props.rod(base, end, 0.0095 * width, skin_rgb)

  thumb = props.rod(
    palm + 0.035 * side,
    fingertip - 0.03 * forward + 0.02 * side - spread * up,
    0.011 * width,
    skin_rgb * 0.92,
  )
  size = (0.042 * width, 0.02 * width, 0.05)
  hand = props.make_part(geometry.ELLIPSOID, palm, frame, size, skin_rgb)
  return [
    *[finger(offset) for offset in (-0.026, -0.009, 0.009, 0.026)],
    thumb,
    hand,
    props.rod(wrist, cuff, 0.026 * width, skin_rgb),
    props.rod(cuff, cuff - 0.5 * forward, 0.036 * width, sleeve_rgb),
  ]


def _robot(fingertip, drawn, rgb):
  """A gripper of two fingers of two parts, its wrist, its palm, two links."""
  body = drawn.body
  width, root = body.width, drawn.root
  level = (fingertip - root) * jnp.array([1.0, 1.0, 0.0])
  forward = geometry.unit(body.lean * geometry.unit(level) - _UP)
  side = geometry.rotation_about_z(body.yaw)[:, 0]
  side = geometry.unit(side - (side @ forward) * forward)
  frame = jnp.stack([side, jnp.cross(forward, side), forward], axis=-1)
  palm = fingertip - 0.09 * forward
  wrist = fingertip - 0.18 * forward
  opening = body.spread * side

  def finger(sign, first):
    base = palm + 0.02 * forward + sign * opening
    end = fingertip + sign * opening
    middle = (base + end) / 2
    ends = (base, middle) if first else (middle, end)
    return props.rod(*ends, 0.0085 * width, body.shade[0])

  reach = root - wrist
  half = jnp.linalg.norm(reach) / 2
  along = reach / (2 * half)
  out = geometry.unit(_UP - along[2] * along)
  bend = jnp.sqrt(jnp.maximum(body.link**2 - half**2, 1e-4))
  elbow = wrist + half * along + bend * out
  size = (0.05 * width, 0.026 * width, 0.035)
  return [
    *[finger(sign, first) for sign in (-1.0, 1.0) for first in (True, False)],
    props.rod(wrist, palm, 0.028 * width, 0.8 * rgb),
    props.make_part(geometry.ELLIPSOID, palm, frame, size, body.shade[0]),
    props.rod(elbow, wrist, 0.036 * width, rgb),
    props.rod(root, elbow, 0.045 * width, body.shade[1]),
  ]
