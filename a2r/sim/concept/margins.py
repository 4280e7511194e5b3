"""What tasks are judged by: the atoms of success, as margins.

An atom tells of each state by how much something holds, `[B, T+1]`: above zero
where it does, in meters (angles and speeds are scaled to be like them; a touch
is a centimeter). This is the robustness of signal temporal logic (Donze and
Maler, "Robust Satisfaction of Temporal Logic over Real-Valued Signals", FORMATS
2010): of a conjunction it is the least of the margins, of a disjunction the
largest. So one formula tells success and how far from it a state is.

Boxes are those around all of a body's parts, along the world's axes. Letters: B
episodes, T control steps.
"""

import functools

import mujoco
import numpy as np

from a2r.sim.concept import physics, views
from a2r.sim.concept import scene as scene_lib

X, Y, Z = 0, 1, 2
OBJECT, REFERENCE, TABLE = "object", "reference", "table"
TOUCH = 0.01  # Meters that a touch counts.
ANGLE = 0.1  # Meters that a radian counts.
_FINGER = 0.02  # Meters, half the thickness of a finger.
_NEARLY = 1e-3  # Meters that what only looks like a touch lacks.


class Record:
  """An episode with the poses of all that is judged; arrays `[B, T+1, ...]`."""

  def __init__(self, scene: scene_lib.Scene, episode: physics.Episode):
    """Computes the poses."""
    self.scene, self.episode = scene, episode
    self._boxes = {}
    model = scene.model
    qpos, start = episode.qpos, episode.start
    positions, quats = np.asarray(start.positions), np.asarray(start.quats)
    lead = qpos.shape[:2]
    self._position = np.empty((*lead, model.nbody, 3))
    self._rotation = np.empty((*lead, model.nbody, 3, 3))
    self.geom_position = np.empty((*lead, model.ngeom, 3))
    self.geom_rotation = np.empty((*lead, model.ngeom, 3, 3))
    data = mujoco.MjData(model)
    for b in range(lead[0]):
      for row, (name, thing) in enumerate(scene.things.items()):
        if thing.fixed:
          mocap = model.body(name).mocapid[0]
          data.mocap_pos[mocap] = positions[b, row]
          data.mocap_quat[mocap] = quats[b, row]
      for t in range(lead[1]):
        data.qpos[:] = qpos[b, t]
        mujoco.mj_kinematics(model, data)
        self._position[b, t] = data.xpos
        self._rotation[b, t] = data.xmat.reshape(-1, 3, 3)
        self.geom_position[b, t] = data.geom_xpos
        self.geom_rotation[b, t] = data.geom_xmat.reshape(-1, 3, 3)

  def position(self, body: str) -> np.ndarray:
    """Where a body's origin is, `[..., 3]`."""
    return self._position[:, :, self.scene.model.body(body).id]

  def rotation(self, body: str) -> np.ndarray:
    """How a body is turned, `[..., 3, 3]`."""
    return self._rotation[:, :, self.scene.model.body(body).id]

  @functools.cached_property
  def pads(self) -> np.ndarray:
    """The middle between the pads, `[..., 3]`."""
    rows = [self.scene.model.geom(f"pad/{s}").id for s in ("right", "left")]
    return self.geom_position[:, :, rows].mean(axis=2)

  @functools.cached_property
  def fingers(self) -> np.ndarray:
    """The angle of the right finger, radians; 0 is open."""
    address = self.scene.model.joint("right_finger").qposadr[0]
    return self.episode.qpos[..., address]

  def joint(self, thing: str = OBJECT) -> np.ndarray:
    """The joint of a thing, meters or radians."""
    address = self.scene.model.joint(f"{thing}/joint").qposadr[0]
    return self.episode.qpos[..., address]

  def velocity(self, thing: str = OBJECT) -> np.ndarray:
    """The velocity of a free thing, `[..., 3]` meters a second."""
    address = self.scene.model.joint(thing).dofadr[0]
    return self.episode.qvel[..., address : address + 3]

  def contact(self, one: str, two: str) -> np.ndarray:
    """Whether two touch in a control step; see `scene.contacts`."""
    contacts = self.episode.contacts
    return contacts.get(f"{one}/{two}", contacts.get(f"{two}/{one}"))

  def box(self, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The least and the most of a thing or the table in x, y, z, `[..., 3]`."""
    if name not in self._boxes:
      model = self.scene.model
      rows = [
        row
        for row in range(model.ngeom)
        if model.geom(row).name.rsplit("/", 1)[0] == name
      ]
      half = [self._half(row) for row in rows]
      centers = [self.geom_position[:, :, row] for row in rows]
      low = np.min([c - h for c, h in zip(centers, half, strict=True)], axis=0)
      high = np.max([c + h for c, h in zip(centers, half, strict=True)], axis=0)
      self._boxes[name] = low, high
    return self._boxes[name]

  def _half(self, row):
    """Half lengths of the box around a geom, `[..., 3]`."""
    model = self.scene.model
    size = model.geom_size[row]
    turn = self.geom_rotation[:, :, row]
    axis = np.abs(turn[..., 2])
    kinds = mujoco.mjtGeom
    if model.geom_type[row] == kinds.mjGEOM_BOX:
      return np.abs(turn) @ size
    if model.geom_type[row] == kinds.mjGEOM_CAPSULE:
      return axis * size[1] + size[0]
    across = np.sqrt(np.maximum(1 - axis**2, 0))
    return axis * size[1] + across * size[0]  # A cylinder.

  def boxes(self, *names: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The box geoms of things or of parts of the robot.

    Returns:
      Half sizes `[G, 3]`, places `[..., G, 3]`, rotations `[..., G, 3, 3]`.
    """
    model = self.scene.model
    rows = [
      row
      for row in range(model.ngeom)
      if model.geom(row).name.rsplit("/", 1)[0] in names
      and model.geom_type[row] == mujoco.mjtGeom.mjGEOM_BOX
    ]
    poses = self.geom_position[:, :, rows], self.geom_rotation[:, :, rows]
    return model.geom_size[rows], *poses

  def center(self, name: str) -> np.ndarray:
    """The middle of a box, `[..., 3]`."""
    low, high = self.box(name)
    return (low + high) / 2

  def radius(self, name: str) -> np.ndarray:
    """Half the diagonal of a box, seen from above."""
    low, high = self.box(name)
    return np.linalg.norm((high - low)[..., :2], axis=-1) / 2


def both(*margins: np.ndarray) -> np.ndarray:
  """All of them hold."""
  return np.minimum.reduce(margins)


def either(*margins: np.ndarray) -> np.ndarray:
  """One of them holds."""
  return np.maximum.reduce(margins)


def so_far(margin: np.ndarray) -> np.ndarray:
  """It holds or has held."""
  return np.maximum.accumulate(margin, axis=1)


def since_start(values: np.ndarray) -> np.ndarray:
  """How much values have changed since the start."""
  return values - values[:, :1]


def gap(record: Record, one: str, two: str) -> np.ndarray:
  """The distance of two boxes, meters; 0 where they meet."""
  (low, high), (lower, higher) = record.box(one), record.box(two)
  apart = np.maximum(np.maximum(low - higher, lower - high), 0)
  return np.linalg.norm(apart, axis=-1)


def touches(record: Record, one: str = OBJECT, two: str = REFERENCE):
  """Two things touch, or a thing and the table."""
  far = gap(record, one, two) + _NEARLY
  return np.where(record.contact(one, two), TOUCH, -far)


def on_floor(record: Record) -> np.ndarray:
  """The object touches the first part of the reference, its floor."""
  contact = record.episode.contacts[f"{REFERENCE}/0/{OBJECT}"]
  return np.where(contact, TOUCH, -gap(record, OBJECT, REFERENCE) - _NEARLY)


def held(record: Record, thing: str = OBJECT) -> np.ndarray:
  """Both pads touch a thing."""
  pads = [record.contact(side, thing) for side in ("right", "left")]
  far = np.linalg.norm(record.pads - record.center(thing), axis=-1) + _NEARLY
  return np.where(pads[0] & pads[1], TOUCH, -far)


def released(record: Record, thing: str = OBJECT) -> np.ndarray:
  """No pad touches a thing; until then what counts is how open they are."""
  pads = [record.contact(side, thing) for side in ("right", "left")]
  closed = TOUCH + ANGLE * np.maximum(record.fingers, 0)
  return np.where(pads[0] | pads[1], -closed, TOUCH)


def robot_touches(record: Record, thing: str = OBJECT) -> np.ndarray:
  """Any part of the robot touches a thing."""
  low, high = record.box(thing)
  apart = np.maximum(np.maximum(low - record.pads, record.pads - high), 0)
  far = np.linalg.norm(apart, axis=-1) + _NEARLY
  return np.where(record.contact("robot", thing), TOUCH, -far)


def arm_touches(record: Record, thing: str = OBJECT) -> np.ndarray:
  """Whether the arm, not the gripper, touches a thing; bool."""
  links = [record.contact(link, thing) for link in scene_lib.ARM_LINKS]
  return np.any(links, axis=0)


def hand_to_arm(record: Record) -> np.ndarray:
  """The least distance of the fingers, as balls, to the arm, meters."""
  model = record.scene.model
  names = [model.geom(row).name for row in range(model.ngeom)]
  arm = [
    row
    for row, name in enumerate(names)
    if name.startswith("arm/")
    and model.geom_type[row] == mujoco.mjtGeom.mjGEOM_CAPSULE
  ]
  fingers = [r for r, name in enumerate(names) if name.startswith("finger/")]
  radius, half = model.geom_size[arm, 0], model.geom_size[arm, 1]
  centers = record.geom_position[:, :, fingers][:, :, :, None]
  way = centers - record.geom_position[:, :, arm][:, :, None]
  axis = record.geom_rotation[..., 2][:, :, arm][:, :, None]
  along = np.clip((way * axis).sum(axis=-1), -half, half)
  far = np.linalg.norm(way - along[..., None] * axis, axis=-1) - radius
  return (far - _FINGER).min(axis=(-2, -1))


def distance(record: Record, one: str = OBJECT, two: str = REFERENCE):
  """The distance of two bodies, meters."""
  return np.linalg.norm(record.position(one) - record.position(two), axis=-1)


def distance_above(record: Record, one: str = OBJECT, two: str = REFERENCE):
  """The distance of the middles of two boxes seen from above, meters."""
  apart = record.center(one) - record.center(two)
  return np.linalg.norm(apart[..., :2], axis=-1)


def moved(record: Record, thing: str = OBJECT, axis: int | None = None):
  """How far a thing is from where it started, or along one axis."""
  way = since_start(record.position(thing))
  return np.linalg.norm(way, axis=-1) if axis is None else way[..., axis]


def leaning(record: Record, thing: str = OBJECT) -> np.ndarray:
  """How far what was upright has fallen over, radians."""
  turn = record.rotation(thing)
  turn = turn @ np.swapaxes(turn[:, :1], -1, -2)
  return np.arccos(np.clip(turn[..., 2, 2], -1, 1))


def inside(record: Record, shrink: float = 0.0, two: str = REFERENCE):
  """The object's origin is over a box, by at least `shrink` meters."""
  at = record.position(OBJECT)[..., :2]
  low, high = (side[..., :2] for side in record.box(two))
  return np.minimum(at - low, high - at).min(axis=-1) - shrink


def behind(record: Record) -> np.ndarray:
  """All of the object is farther from the robot than the reference."""
  return record.box(OBJECT)[0][..., X] - record.box(REFERENCE)[1][..., X]


def in_front(record: Record) -> np.ndarray:
  """All of the object is nearer to the robot than the reference."""
  return record.box(REFERENCE)[0][..., X] - record.box(OBJECT)[1][..., X]


def beside(record: Record) -> np.ndarray:
  """The object is outside of the reference, by at most twice its own size."""
  far = distance_above(record)
  own, other = record.radius(OBJECT), record.radius(REFERENCE)
  return both(far - (other + own), other + 4 * own - far)


def within(record: Record) -> np.ndarray:
  """The object is in the open box: over it, on its floor or below its rim."""
  own, rim = record.radius(OBJECT), record.box(REFERENCE)[1][..., Z]
  low, high = (side[..., Z] for side in record.box(OBJECT))
  room = record.radius(REFERENCE) - own - distance_above(record)
  return both(room, either(on_floor(record), rim + own - high, rim - own - low))


def thrown(record: Record) -> np.ndarray:
  """The object flies: let go, faster than 1 m/s, 5 cm from the pads."""
  speed = np.linalg.norm(record.velocity(), axis=-1)
  far = np.linalg.norm(record.center(OBJECT) - record.pads, axis=-1)
  return both(released(record), 0.1 * (speed - 1), far - 0.05)


def visible(record: Record, thing: str, *behind: str) -> np.ndarray:
  """The share of a box that the camera sees past what it may be behind.

  Points on those of its faces that look toward the camera are tried; a thing
  hides them if the way to the camera goes through one of its boxes.

  Args:
    record: of an episode.
    thing: of one box.
    *behind: names of what is made of boxes.
  """
  half, place, turn = (x for x in record.boxes(thing))
  half, place, turn = half[0], place[:, :, 0], turn[:, :, 0]
  steps = np.array([-0.8, -0.4, 0.0, 0.4, 0.8])
  u, v = (x.ravel() for x in np.meshgrid(steps, steps))
  points, seen = [], []
  eye = np.einsum("...ji,...j->...i", turn, np.array(views.EYE) - place)
  for axis in range(3):
    for side in (-1, 1):
      face = np.zeros((len(u), 3))
      face[:, axis] = side
      face[:, (axis + 1) % 3], face[:, (axis + 2) % 3] = u, v
      points.append(face * half)
      facing = side * eye[..., axis] > half[axis]
      seen.append(np.broadcast_to(facing[..., None], (*facing.shape, len(u))))
  points, facing = np.concatenate(points), np.concatenate(seen, axis=-1)
  points = np.einsum("...ij,pj->...pi", turn, points) + place[..., None, :]
  hidden = np.zeros(facing.shape, bool)
  sizes, places, turns = record.boxes(*behind)
  for index, size in enumerate(sizes):
    at, frame = places[:, :, index], turns[:, :, index]
    start = np.einsum("...ji,...j->...i", frame, np.array(views.EYE) - at)
    end = np.einsum("...ji,...pj->...pi", frame, points - at[..., None, :])
    hidden |= _crosses(start[..., None, :], end, size)
  return (facing & ~hidden).sum(-1) / np.maximum(facing.sum(-1), 1)


def _crosses(start, end, half):
  """Whether the way between two points goes through a box at the origin."""
  way = np.where(np.abs(end - start) < 1e-9, 1e-9, end - start)
  one, two = (-half - start) / way, (half - start) / way
  enter = np.minimum(one, two).max(axis=-1)
  leave = np.maximum(one, two).min(axis=-1)
  return (enter < leave) & (leave > 0) & (enter < 1)
