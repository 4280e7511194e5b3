"""One MuJoCo model that every scene fits: what differs is data, not structure.

MJX compiles a program for a model's structure. So all scenes fill the same
bodies and shapes: the robot, a fixture of five boxes, what moves on it (five
boxes on a slide and a hinge), a free body of three boxes and a capsule, and
four free bodies of one box. What a scene lacks is small, weightless and far
away; a joint that it lacks is as heavy as a mountain.

MJX has no contact of cylinders with boxes. The cup is a hexagon of the same
area, the robot's two cylinders are capsules of the same volume. Table and floor
are planes, which cost least; so the table has no end. A fixture and what moves
on it do not touch, nor do robot and floor.

Letters: B episodes, G shapes of this model.
"""

import dataclasses
import functools
from typing import NamedTuple

import mujoco
import numpy as np

from a2r.sim.concept import arm, objects
from a2r.sim.concept import scene as scene_lib

FIXTURE = "fixture"
MOVING = scene_lib.moving_name(FIXTURE)
# The shapes of each slot for a body.
_FREE = {
  "main": ("box", "box", "box", "capsule"),
  "second": ("box",),
  "third": ("box",),
  "fourth": ("box",),
  "fifth": ("box",),
}
_PANELS = ("box",) * 5
_ABSENT = objects.box(0.02, 0.02, 0.02)  # Meters.
_LOCKS = tuple(
  objects.Joint(kind, (0.0, 0.0, 1.0), (-1.0, 1.0), friction=1e-6)
  for kind in ("slide", "hinge")
)
_LOCKED = 1e6  # Kilograms, or times square meters.
_SMALL = 1e-4  # Meters: half of a shape that a body lacks.
_AWAY = 30.0  # Meters.
# What MJX looks at: pairs of shapes of any two types, and contacts of all.
_LIMITS = {"max_geom_pairs": 48, "max_contact_points": 48}
# Of the arm, what nothing on the table reaches.
_UNREACHED = ("link0", "link1", "link2")


class Universal(NamedTuple):
  """A scene in the model that all scenes fit."""

  model: mujoco.MjModel
  qpos: np.ndarray  # `[nq]` where the scene's joint positions are here.
  qvel: np.ndarray  # `[nv]` likewise the velocities.
  geoms: np.ndarray  # `[G]` number of the scene's geom, -1 for none.


@functools.cache
def make(scene: scene_lib.Scene) -> Universal:
  """Fits a scene.

  Raises:
    ValueError: it has more of something than there are slots.
  """
  spec, joints, geoms = _make_spec(scene)
  model, own = spec.compile(), scene.model
  # These follow from values, and allow an engine to leave something out.
  for name in ("body_sameframe", "geom_sameframe", "body_simple"):
    getattr(model, name)[:] = 0
  model.dof_simplenum[:] = 0
  model.stat.meaninertia = own.stat.meaninertia  # What tolerances scale with.
  qpos, qvel = [], []
  for row in range(own.njnt):
    joint = own.joint(row)
    other = model.joint(joints.get(joint.name, joint.name))
    free = joint.type[0] == mujoco.mjtJoint.mjJNT_FREE
    qpos.extend(other.qposadr[0] + np.arange(7 if free else 1))
    qvel.extend(other.dofadr[0] + np.arange(6 if free else 1))
  known = {own.geom(row).name: row for row in range(own.ngeom)}
  names = [model.geom(row).name for row in range(model.ngeom)]
  rows = [known.get(geoms.get(name, name), -1) for name in names]
  return Universal(model, *map(np.array, (qpos, qvel, rows)))


def pack(universal: Universal, qpos: np.ndarray) -> np.ndarray:
  """Returns joint positions `[..., nq]` of this model for a scene's."""
  packed = np.tile(universal.model.qpos0, (*qpos.shape[:-1], 1))
  packed[..., universal.qpos] = qpos
  return packed


def stand(
  scene: scene_lib.Scene, start: scene_lib.Start
) -> tuple[np.ndarray, np.ndarray]:
  """Returns where the fixture stands, `[B, 3]` and quaternions `[B, 4]`."""
  for row, thing in enumerate(scene.things.values()):
    if thing.fixed:
      poses = start.positions, start.quats
      return tuple(np.asarray(x)[:, row] for x in poses)
  batch = len(start.arm)
  away, unturned = [-_AWAY, 0, _AWAY], [1.0, 0, 0, 0]
  return np.tile(away, (batch, 1)), np.tile(unturned, (batch, 1))


def sides(scene: scene_lib.Scene) -> dict[str, tuple[np.ndarray, np.ndarray]]:
  """Returns the shapes of both sides of each contact of a scene, bool `[G]`.

  See `scene.contacts`.
  """
  rows, model = make(scene).geoms, scene.model

  def shapes(side):
    kind, _, name = side.rpartition(":")
    if kind == "geom":
      found = np.arange(model.ngeom) == model.geom(name).id
    elif kind == "tree":
      roots = model.body_rootid[model.geom_bodyid]
      found = roots == model.body(name).id
    else:
      found = model.geom_bodyid == model.body(name).id
    return found[rows] & (rows >= 0)

  pairs = scene_lib.contacts(scene)
  return {name: tuple(map(shapes, pair)) for name, pair in pairs.items()}


def _make_spec(scene):
  """Returns the MJCF and two dicts of names.

  They are its joints' by the scene's, and the scene's shapes' by its own.
  """
  spec, joints, geoms = arm.make_spec().copy(), {}, {}
  spec.option.timestep = 1 / scene.rate / scene.substeps
  for body in spec.bodies:
    for geom in body.geoms:
      _simplify(geom, body.name)
  for name, height, touches_robot in (
    ("floor/plane", 0.0, 0),
    ("table/top", scene_lib.TABLE, 1),
  ):
    spec.worldbody.add_geom(
      name=name,
      type=mujoco.mjtGeom.mjGEOM_PLANE,
      size=(10, 10, 0.01),
      pos=(0, 0, height),
      contype=scene_lib.FIXED[0],
      conaffinity=touches_robot,
      condim=4,
    )
  for name, limit in _LIMITS.items():
    spec.add_numeric(name=name, data=[limit])
  _add_fixture(spec, scene, joints, geoms)
  things = {n: t for n, t in scene.things.items() if not t.fixed}
  if len(things) > len(_FREE):
    raise ValueError(f"{len(things)} free things, at most {len(_FREE)}")
  for row, (slot, kinds) in enumerate(_FREE.items()):
    present = row < len(things)
    name = list(things)[row] if present else ""
    thing = things[name] if present else scene_lib.Thing(_ABSENT, ())
    parts = _fit(thing.body.parts, kinds, slot, name, geoms)
    kind = dataclasses.replace(thing.body, parts=parts)
    thing = dataclasses.replace(thing, body=kind)
    scene_lib.add_thing(spec.worldbody, slot, thing)
    spec.body(slot).pos = (_AWAY, row, _AWAY)
    spec.body(slot).gravcomp = 0 if present else 1
    joints[name] = slot
  return spec, joints, geoms


def _simplify(geom, body):
  """Makes of a shape of the robot what MJX knows, or what touches nothing."""
  geom.condim = 4  # As all else has it.
  if geom.type == mujoco.mjtGeom.mjGEOM_CYLINDER:
    geom.type = mujoco.mjtGeom.mjGEOM_CAPSULE
    geom.size[1] -= 2 / 3 * geom.size[0]
  if body in _UNREACHED:
    geom.contype = 0


def _add_fixture(spec, scene, joints, geoms):
  """Adds what is fixed and what moves on it."""
  things = [item for item in scene.things.items() if item[1].fixed]
  if len(things) > 1:
    raise ValueError(f"{len(things)} fixed things, at most 1")
  name, kind = (things[0][0], things[0][1].body) if things else ("", _ABSENT)
  gray = (0.5, 0.5, 0.5)
  base = spec.worldbody.add_body(name=FIXTURE, mocap=True)
  parts = _fit(kind.parts, _PANELS, FIXTURE, name, geoms)
  scene_lib.add_parts(base, FIXTURE, parts, kind, scene_lib.FIXED, gray)
  away = 0.0 if kind.joint else _AWAY
  moving = base.add_body(name=MOVING, pos=(0, 0, away), gravcomp=1)
  for lock in _LOCKS:
    own = kind.joint and kind.joint.kind == lock.kind
    joint = scene_lib.add_joint(moving, lock.kind, kind.joint if own else lock)
    if own:
      joints[f"{name}/joint"] = lock.kind
    else:
      joint.armature = _LOCKED
  parts = kind.moving or _ABSENT.parts
  theirs = scene_lib.moving_name(name) if kind.joint else ""
  parts = _fit(parts, _PANELS, MOVING, theirs, geoms)
  scene_lib.add_parts(moving, MOVING, parts, kind, scene_lib.FREE, gray)
  spec.add_exclude(bodyname1=FIXTURE, bodyname2=MOVING)


def _fit(parts, kinds, slot, name, geoms):
  """Returns parts of these kinds; what is left of them is small.

  Args:
    parts: those of a body.
    kinds: of the parts that the slot has.
    slot: its name.
    name: of the body, '' if there is none; then `geoms` has no line of it.
    geoms: gets the names of its shapes by those of the slot.
  """
  left = [
    (f"{name}/{number}", each)
    for number, part in enumerate(parts)
    for each in _as_boxes(part)
  ]
  filler = (_SMALL,) * 3
  fitted = []
  for row, kind in enumerate(kinds):
    found = next((item for item in left if item[1].kind == kind), None)
    if found is None:
      fitted.append(objects.Part(kind, filler, parts[0].position))
      continue
    left.remove(found)
    fitted.append(found[1])
    if name:
      geoms[f"{slot}/{row}"] = found[0]
  if left:
    raise ValueError(f"no room in {slot!r} for {[name for name, _ in left]}")
  return tuple(fitted)


def _as_boxes(part):
  """Returns a part, or for an upright cylinder a hexagon of the same area."""
  if part.kind != "cylinder":
    return (part,)
  radius, half = part.size
  across = radius * np.sqrt(np.pi / (2 * np.sqrt(3)))  # Half of it.
  size = (across / np.sqrt(3), across, half)
  turns = (0.0, np.pi / 3, 2 * np.pi / 3)
  return [objects.Part("box", size, part.position, (0, 0, a)) for a in turns]
