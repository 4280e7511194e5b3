"""The hand of the procedural human clips, and the arm behind it.

Lengths are in meters; where it goes is in `motion`.
"""

from a2r.sim.humans import props, scenes
from a2r.sim.rendering import geometry


def arm(fingertip, drawn: scenes.Arm, skin_rgb, sleeve_rgb):
  """Returns parts of a forearm and a hand.

  Args:
    fingertip: `[3]` where the fingers end.
    drawn: where the arm comes from, how wide it is, how far its thumb spreads.
    skin_rgb: `[3]`.
    sleeve_rgb: `[3]`.
  """
  width, spread = drawn.width, drawn.spread
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
