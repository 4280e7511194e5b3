"""Things that a task is not about: they stand on the table and can be pushed.

They change no draw of the task's own things. Each is whole in the picture of
every view, apart from all else, and neither below what is held nor where the
robot starts.

Letters: B episodes, D distractors, K places that are tried for each.
"""

import collections
import dataclasses
import functools

import numpy as np

from a2r.core import checks
from a2r.sim.concept import margins, objects, physics, rotations, views
from a2r.sim.concept import scene as scene_lib

MAX_DISTRACTORS = 3  # Beside a drawer no more can be drawn.
_TRIES = 256  # K.
_LOW, _HIGH = (0.16, -0.40), (0.68, 0.40)  # Of x and y.
_APART = 0.02  # Meters between a distractor and all else, seen from above.
_HEADROOM = 0.2  # Meters above the table; what of the robot is higher is not
# in the way.
_NOWHERE = 9.0  # Meters.
# Of the ray caster's slots, those that the robot leaves.
_SLOTS = {"box": 11, "cylinder": 1, "capsule": 1}
_THINGS = {
  "box": scene_lib.Thing(
    objects.box(0.06, 0.05, 0.07), (0.0, 0.0, 0.035), color=(0.85, 0.45, 0.1)
  ),
  "cylinder": scene_lib.Thing(
    objects.cup(0.03, 0.08), (0.0, 0.0, 0.04), color=(0.1, 0.55, 0.55)
  ),
  "capsule": scene_lib.Thing(
    objects.roller(0.025, 0.11), (0.0, 0.0, 0.025), color=(0.85, 0.85, 0.8)
  ),
}
_RADIUS = {"box": 0.04, "cylinder": 0.03, "capsule": 0.055}  # From above.


@functools.cache
def add(scene: scene_lib.Scene, num: int) -> scene_lib.Scene:
  """Returns a scene with D distractors.

  Raises:
    ValueError: if there cannot be so many.
  """
  checks.count("distractors", num, 0, MAX_DISTRACTORS)
  if num == 0:
    return scene
  bodies = [thing.body for thing in scene.things.values()]
  taken = collections.Counter(
    part.kind for body in bodies for part in (*body.parts, *body.moving)
  )
  kinds = []
  while len(kinds) < num:
    for kind, slots in _SLOTS.items():
      if taken[kind] < slots and len(kinds) < num:
        kinds.append(kind)
        taken[kind] += 1
  things = {f"{kind}_{n}": _THINGS[kind] for n, kind in enumerate(kinds)}
  return dataclasses.replace(scene, distractors=things)


def draws_shape(scene: scene_lib.Scene) -> tuple[int, ...]:
  """Returns `[D, K, 3]`, the shape of what their places are drawn from."""
  return (len(scene.distractors), _TRIES, 3)


def place(
  scene: scene_lib.Scene, start: scene_lib.Start, draws: np.ndarray
) -> np.ndarray:
  """Returns poses of distractors: the first places tried that are free.

  Args:
    scene: with D distractors.
    start: of B episodes, without them.
    draws: `[B, D, K, 3]` in [-1, 1]: x, y, turn.

  Returns:
    float32 `[B, D, 7]`, positions and quaternions. Where none of K places is
    free, the freest is taken.
  """
  low, high = _shadows(scene, start, len(scene.distractors))
  middle, half = np.add(_LOW, _HIGH) / 2, np.subtract(_HIGH, _LOW) / 2
  at = middle + half * draws[..., :2]
  turn = np.pi * draws[..., 2:] * np.array([0.0, 0.0, 1.0])
  quats = np.asarray(rotations.from_vector(np.float32(turn)))
  rows, poses = np.arange(len(draws)), []
  for index, (name, thing) in enumerate(scene.distractors.items()):
    tried, radius = at[:, index], _RADIUS[name.partition("_")[0]]
    point = tried[:, :, None]
    apart = np.maximum(low[:, None] - point, point - high[:, None])
    apart = np.linalg.norm(np.maximum(apart, 0), axis=-1).min(axis=-1) - radius
    room = np.minimum(apart, _APART) - ~_seen(tried, radius)
    best = room.argmax(axis=1)
    place = tried[rows, best]
    low = np.concatenate([low, place[:, None] - radius], axis=1)
    high = np.concatenate([high, place[:, None] + radius], axis=1)
    height = np.full((len(rows), 1), scene_lib.TABLE + thing.at[2])
    poses.append(np.hstack([place, height, quats[rows, index, best]]))
  return np.float32(np.stack(poses, axis=1))


def _shadows(scene, start, num):
  """The boxes around all that is in the way, from above: `[B, G, 2]` twice."""
  nowhere = np.zeros((len(start.arm), num, 7))
  start = start._replace(distractors=nowhere)
  record = margins.Record(scene, physics.at_start(scene, start))
  model = scene.model
  whose = [model.geom(row).name.partition("/")[0] for row in range(model.ngeom)]
  is_thing = np.isin(whose, list(scene.things))
  counts = is_thing | ~np.isin(whose, ["floor", "table", *scene.distractors])
  turn = np.abs(record.geom_rotation[:, 0])
  half = np.einsum("bgij,gj->bgi", turn, model.geom_aabb[:, 3:])
  center = record.geom_position[:, 0]
  low, high = center - half, center + half
  reached = low[..., 2] < scene_lib.TABLE + _HEADROOM
  counts = (counts & (is_thing | reached))[..., None]
  low, high = (np.where(counts, x[..., :2], _NOWHERE) for x in (low, high))
  return low, high


def _seen(places, radius):
  """Whether what stands at `[..., 2]` is whole in every picture."""
  low = np.insert(places, 2, scene_lib.TABLE, axis=-1)
  points = np.stack([low, low + [0.0, 0.0, 2 * radius]])
  seen = [views.sees(points, -radius, view) for view in views.VIEWS]
  return np.all(seen, axis=(0, 1))
