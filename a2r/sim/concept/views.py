"""Where cameras stand: Concept2Robot's, and those of a changed viewpoint.

The paper's table 2 changes the viewpoint without saying how. Here it is the
release's other camera, 'third', from in front of the robot, or the first one
moved around what it looks at, by 10, 20 and 30 degrees.
"""

import numpy as np

from a2r.core import checks
from a2r.sim.rendering import camera as cameras

# Concept2Robot's 'first' view (configs/camera_parameters/params.npy).
EYE = (-0.0937, 0.0195, 0.8930)
_TARGET = (0.6173, 0.0066, 0.0)
_ROLL = np.deg2rad(2.31)
_THIRD_EYE, _THIRD_TARGET = (1.115, -0.023, 1.128), (0.217, -0.007, 0.0)
_CENTER = (0.42, 0.0)  # Of the table: what a moved camera turns about.
ASPECT = 4 / 3  # Width over height.
_UP = np.tan(np.deg2rad(20.0))  # Half the picture's height, a meter ahead.
_SHIFTS = {f"shifted_{degrees}": degrees for degrees in (10, 20, 30)}
VIEWS = ("first", "third", *_SHIFTS)


def make_camera(view: str = "first", aspect: float = ASPECT) -> cameras.Camera:
  """Returns a camera.

  Args:
    view: one of `VIEWS`.
    aspect: width over height of the pictures. Whatever it is, they are as wide
      as the release's; square ones show more above and below.

  Raises:
    KeyError: if there is no such view; the known are listed.
  """
  checks.one_of("view", view, VIEWS, KeyError)
  eye, target, roll = EYE, _TARGET, _ROLL
  if view == "third":
    eye, target, roll = _THIRD_EYE, _THIRD_TARGET, 0.0
  turn = np.deg2rad(_SHIFTS.get(view, 0))
  eye, target = _turned(eye, turn), _turned(target, turn)
  rotation = cameras.look_at(np.float32(eye), np.float32(target), roll)
  fovy = np.rad2deg(2 * np.arctan(_UP * ASPECT / aspect))
  return cameras.Camera(np.float32(eye), np.asarray(rotation), np.float32(fovy))


def _turned(point, angle):
  """A point, turned about the vertical through the table's center."""
  (x, y, z), (cx, cy) = point, _CENTER
  c, s = np.cos(angle), np.sin(angle)
  return cx + c * (x - cx) - s * (y - cy), cy + s * (x - cx) + c * (y - cy), z


def sees(points: np.ndarray, radius: float, view: str = "first") -> np.ndarray:
  """Returns whether balls are in the picture, if only in part, bool `[...]`.

  Args:
    points: `[..., 3]` their centers.
    radius: theirs, meters.
    view: one of `VIEWS`.
  """
  camera = make_camera(view)
  local = (points - camera.position) @ camera.rotation
  ahead = -local[..., 2]
  reach = np.tan(np.deg2rad(camera.fovy) / 2) * ahead
  up, right = np.abs(local[..., 1]), np.abs(local[..., 0])
  inside = (up <= reach + radius) & (right <= reach * ASPECT + radius)
  return inside & (ahead > 0)
