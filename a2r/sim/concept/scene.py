"""A task's things: where each may start, and the MuJoCo model of them all.

World coordinates are Concept2Robot's: meters, z up, the robot's base at the
origin, +x away from robot and camera (up in the picture), +y to its left.
Letters: B episodes, M things at most.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import mujoco
import numpy as np

from a2r.sim.concept import arm, objects, rotations

TABLE = 0.285  # The height of its top.
MAX_THINGS = 6
DRAWS = (MAX_THINGS + 1, 5)  # The shape of what a start is drawn from.
OPEN, CLOSED = 0, 255  # The gripper's command.
FINGER_RANGE = 0.81  # Radians of the finger joints when closed.
# The flange's orientations in the released recordings, told by where the hand
# points and by the axis from finger to finger.
ORIENTATIONS = {
  name: np.float32(rotations.from_axes(approach, fingers))
  for name, (approach, fingers) in {
    "grasp": ((0.28, 0.9, -0.3), (-0.955, 0.296, 0.0)),
    "poke": ((0.12, 0.94, -0.32), (-0.99, 0.11, -0.04)),
    "steep": ((0.0, 0.71, -0.71), (-1.0, 0.0, 0.0)),
    "down": ((0.0, 0.0, -1.0), (0.0, -1.0, 0.0)),
    "aside": ((0.1, -0.5, -0.86), (1.0, 0.0, 0.1)),
    "flat": ((0.296, 0.955, 0.0), (0.0, 0.0, 1.0)),
  }.items()
}
# Of these the arm comes from above, not from its right.
_FROM_ABOVE = ("down", "aside")
# From the flange to between the pads, by the gripper's command.
_COMMANDS = (0, 100, 120, 130, 150, 200, 220, 255)
_DEPTHS = (0.1303, 0.1398, 0.1411, 0.1417, 0.1426, 0.1441, 0.1442, 0.144)
_EASE = 0.035  # Radians that fingers start off what they hold.
_SUBSTEPS = {100: 4, 30: 12}  # Of a control step, by control steps a second.
_TYPES = {
  kind: getattr(mujoco.mjtGeom, f"mjGEOM_{kind.upper()}")
  for kind in ("box", "capsule", "cylinder")
}
# Who touches whom: the robot (1, 0) all else, what is fixed only what moves.
FIXED, FREE = (2, 1), (4, 7)


@dataclasses.dataclass(frozen=True)
class Thing:
  """A body and where it may start.

  Attributes:
    body: what it is.
    at: its place, in the world or from that of `near`.
    near: a thing named before it, or nothing.
    spread: how far its place may be off, each way; of x and y alike if one.
    euler: its turn about x, then y, then z.
    turn: radians by which it may be turned about z besides, each way.
    swing: whether `at` is turned with it, about the world's z.
    joint: the least and the most of its joint at the start.
    fixed: whether (its base) stays where it is.
    color: RGB.
  """

  body: objects.Body
  at: tuple[float, float, float]
  near: str = ""
  spread: tuple[float, float, float] | float = 0.0
  euler: tuple[float, float, float] = (0.0, 0.0, 0.0)
  turn: float = 0.0
  swing: bool = False
  joint: tuple[float, float] = (0.0, 0.0)
  fixed: bool = False
  color: tuple[float, float, float] = (0.75, 0.12, 0.1)


@dataclasses.dataclass(frozen=True)
class Hand:
  """Where the flange starts.

  Attributes:
    orientation: one of `ORIENTATIONS`.
    grip: the gripper's command, 0 (open) to 255.
    holds: the thing between the pads, or nothing.
    reach: meters from between the pads to that thing's place, where they point.
    at, near, spread: as of a `Thing`, if nothing is held.
  """

  orientation: str = "grasp"
  grip: int = 130
  holds: str = ""
  reach: float = 0.0
  at: tuple[float, float, float] = (0.0, 0.0, 0.0)
  near: str = ""
  spread: tuple[float, float, float] | float = 0.0


@dataclasses.dataclass(frozen=True, eq=False)
class Scene:
  """What a task is played with.

  Attributes:
    things: by name; 'object' is what the task is about.
    hand: where it starts.
    rate: control steps a second, 100 or 30.
    distractors: by name, what stands around; see `concept.distractors`.
  """

  things: Mapping[str, Thing]
  hand: Hand
  rate: int = 100
  distractors: Mapping[str, Thing] = dataclasses.field(default_factory=dict)

  @functools.cached_property
  def substeps(self) -> int:
    """Steps of the physics in a control step."""
    return _SUBSTEPS[self.rate]

  @functools.cached_property
  def model(self) -> mujoco.MjModel:
    """Its compiled model."""
    return make_spec(self).compile()


class Start(NamedTuple):
  """Where episodes start; rows are those of `Scene.things`, the last is empty.

  The last row of positions and turns is the flange's.
  """

  positions: jax.Array  # `[B, M + 1, 3]` meters.
  quats: jax.Array  # `[B, M + 1, 4]`.
  joints: jax.Array  # `[B, M + 1]` meters or radians.
  arm: jax.Array  # `[B, 7]` radians.
  distractors: jax.Array | None = None  # `[B, D, 7]` poses, if there are any.


class _Layout(NamedTuple):
  """How a scene is placed, as data: one program places all of them."""

  at: np.ndarray  # `[M + 1, 3]`, M = MAX_THINGS, the hand last.
  spread: np.ndarray  # `[M + 1, 3]`.
  near: np.ndarray  # `[M + 1]` number of a thing, M for the world.
  quat: np.ndarray  # `[M + 1, 4]`.
  turn: np.ndarray  # `[M + 1]`.
  swing: np.ndarray  # bool `[M + 1]`.
  joint: np.ndarray  # `[M + 1, 2]`.
  depth: np.ndarray  # `[]` from the flange to what is held.
  rest: np.ndarray  # `[7]` joints that the arm's are near to.


@functools.cache
def _make_layout(scene: Scene) -> _Layout:
  names, hand = list(scene.things), scene.hand
  num_rows = MAX_THINGS + 1
  layout = _Layout(
    at=np.zeros((num_rows, 3), np.float32),
    spread=np.zeros((num_rows, 3), np.float32),
    near=np.full(num_rows, MAX_THINGS),
    quat=np.tile(np.float32([1, 0, 0, 0]), (num_rows, 1)),
    turn=np.zeros(num_rows, np.float32),
    swing=np.zeros(num_rows, bool),
    joint=np.zeros((num_rows, 2), np.float32),
    depth=np.zeros((), np.float32),
    rest=arm.RAISED if hand.orientation in _FROM_ABOVE else arm.HOME,
  )
  rows = [*enumerate(scene.things.values()), (MAX_THINGS, hand)]
  for row, one in rows:
    near = hand.holds if one is hand and hand.holds else one.near
    layout.at[row] = one.at
    spread = one.spread
    layout.spread[row] = (spread, spread, 0) if np.isscalar(spread) else spread
    layout.near[row] = names.index(near) if near else MAX_THINGS
    if one is not hand:
      layout.quat[row] = rotations.from_euler(*one.euler)
      layout.turn[row], layout.swing[row] = one.turn, one.swing
      layout.joint[row] = one.joint
  layout.quat[-1] = ORIENTATIONS[hand.orientation]
  if hand.holds:
    layout.depth[...] = np.interp(hand.grip, _COMMANDS, _DEPTHS) + hand.reach
  return layout


def place(scene: Scene, draws: np.ndarray) -> Start:
  """Returns the starts that random numbers stand for.

  Args:
    scene: whose.
    draws: `[B, 7, 5]` in [-1, 1], a row for each thing and the last for the
      hand: x, y, z, turn, joint.
  """
  return _place(_make_layout(scene), draws)


@jax.jit
def _place(layout, draws):
  about_z = (layout.turn * draws[..., 3])[..., None] * np.float32([0, 0, 1])
  turn = rotations.from_vector(about_z)
  swung = jnp.einsum("bmij,mj->bmi", rotations.matrix(turn), layout.at)
  own = jnp.where(layout.swing[:, None], swung, layout.at)
  own = own + layout.spread * draws[..., :3]
  quats = rotations.multiply(turn, jnp.broadcast_to(layout.quat, turn.shape))
  positions = jnp.zeros((len(draws), MAX_THINGS + 1, 3))
  for row in range(MAX_THINGS + 1):  # The last is still the world's origin.
    anchor = jnp.take(positions, layout.near[row], axis=1)
    positions = positions.at[:, row].set(own[:, row] + anchor)
  along = rotations.matrix(quats[:, -1])[..., 2]
  positions = positions.at[:, -1].add(-layout.depth * along)
  low, high = layout.joint.T
  joints = low + (high - low) * (draws[..., 4] + 1) / 2
  home = jnp.broadcast_to(layout.rest, (len(draws), arm.NUM_JOINTS))
  joints_of_arm = arm.solve(
    home, positions[:, -1], quats[:, -1], num_steps=60, damping=0.03, rest=home
  )
  return Start(positions, quats, joints, joints_of_arm)


def make_spec(scene: Scene) -> mujoco.MjSpec:
  """Returns a scene's MJCF: the robot, the table, the things, who touches whom.

  Fixed things are mocap bodies: where they stand is data of an episode.
  """
  spec = arm.make_spec().copy()
  spec.option.timestep = 1 / scene.rate / scene.substeps
  world = spec.worldbody
  kinds = mujoco.mjtGeom
  world.add_geom(
    name="floor/plane",
    type=kinds.mjGEOM_PLANE,
    size=(10, 10, 0.01),
    **_mask(FIXED),
  )
  world.add_geom(
    name="table/top",
    type=kinds.mjGEOM_BOX,
    size=(0.3, 0.45, 0.015),
    pos=(0.42, 0, TABLE - 0.015),
    **_mask(FIXED),
  )
  for name, thing in {**scene.things, **scene.distractors}.items():
    add_thing(world, name, thing)
  for name, sides in contacts(scene).items():
    _add_contact(spec, name, *sides)
  return spec


def add_thing(world: mujoco.MjsBody, name: str, thing: Thing) -> None:
  """Adds a thing to the world."""
  kind, joint = thing.body, thing.body.joint
  body = world.add_body(name=name, mocap=thing.fixed)
  if not thing.fixed:
    body.add_freejoint(name=name)
  mask = FIXED if thing.fixed else FREE
  add_parts(body, name, kind.parts, kind, mask, thing.color)
  if joint:
    moving = body.add_body(name=moving_name(name), gravcomp=1)
    add_joint(moving, f"{name}/joint", joint)
    lighter = tuple(min(1.0, value + 0.15) for value in thing.color)
    add_parts(moving, f"{name}/moving", kind.moving, kind, FREE, lighter)


def add_joint(body: mujoco.MjsBody, name: str, joint: objects.Joint):
  """Adds a joint to a body and returns it."""
  return body.add_joint(
    name=name,
    type=getattr(mujoco.mjtJoint, f"mjJNT_{joint.kind.upper()}"),
    axis=joint.axis,
    pos=joint.anchor,
    range=joint.range,
    limited=True,
    frictionloss=joint.friction,
    damping=[joint.damping, 0, 0],
    armature=0.001,
  )


def add_parts(
  body: mujoco.MjsBody,
  name: str,
  parts: tuple[objects.Part, ...],
  kind: objects.Body,
  mask: tuple[int, int],
  color: tuple[float, float, float],
) -> None:
  """Adds parts to a body, its mass spread over their volume.

  Args:
    body: that gets them.
    name: theirs are this and a number.
    parts: primitives.
    kind: whose mass and friction they have.
    mask: who touches them, one of `FIXED` and `FREE`.
    color: RGB.
  """
  sizes = [np.prod([2 * x for x in part.size]) for part in parts]
  for index, (part, size) in enumerate(zip(parts, sizes, strict=True)):
    body.add_geom(
      name=f"{name}/{index}",
      type=_TYPES[part.kind],
      size=(*part.size, 0, 0)[:3],
      pos=part.position,
      quat=rotations.from_euler(*part.euler),
      mass=kind.mass * size / sum(sizes),
      friction=(kind.friction, 0.005, 0.0005),
      condim=4,
      solref=(0.005, 1),
      rgba=(*color, 1),
      **_mask(mask),
    )


def _mask(mask):
  return {"contype": mask[0], "conaffinity": mask[1]}


def moving_name(name: str) -> str:
  """Returns the name of the body that moves on a base."""
  return f"{name}/moving"


def contacts(scene: Scene) -> dict[str, tuple[str, str]]:
  """Returns the contacts that an episode records, by name: their two sides.

  A side is a body, a geom ('geom:...'), or a body and all that hangs on it
  ('tree:...').
  """
  pairs = {}
  bodies = {
    name: moving_name(name) if thing.body.joint else name
    for name, thing in scene.things.items()
  }
  moves = [n for n, t in scene.things.items() if not t.fixed or t.body.joint]
  for name in moves:
    body = bodies[name]
    pairs[f"right/{name}"] = ("geom:pad/right", body)
    pairs[f"left/{name}"] = ("geom:pad/left", body)
    pairs[f"robot/{name}"] = ("tree:link0", body)
    pairs[f"table/{name}"] = ("geom:table/top", body)
    for link in ARM_LINKS:
      pairs[f"{link}/{name}"] = (link, body)
  names = list(scene.things)
  for index, one in enumerate(names):
    for two in names[index + 1 :]:
      pairs[f"{one}/{two}"] = (bodies[one], bodies[two])
      if scene.things[one].fixed:
        pairs[f"{one}/0/{two}"] = (f"geom:{one}/0", bodies[two])
  return pairs


# Of the arm, those that may touch a thing on the table.
ARM_LINKS = ("link3", "link4", "link5", "link6", "link7")


def _add_contact(spec, name, *sides):
  kinds = {"geom": mujoco.mjtObj.mjOBJ_GEOM, "tree": mujoco.mjtObj.mjOBJ_XBODY}
  typed = []
  for side in sides:
    kind, _, rest = side.rpartition(":")
    typed.append((kinds.get(kind, mujoco.mjtObj.mjOBJ_BODY), rest))
  (one_type, one), (two_type, two) = typed
  spec.add_sensor(
    name=name,
    type=mujoco.mjtSensor.mjSENS_CONTACT,
    objtype=one_type,
    objname=one,
    reftype=two_type,
    refname=two,
    intprm=[1, 0, 1],  # Whether there is one, of the first, alone.
  )


def initial_qpos(scene: Scene, start: Start) -> np.ndarray:
  """Returns joint positions `[B, nq]` of starts."""
  model = scene.model
  qpos = np.zeros((len(start.arm), model.nq))

  def put(joint, values, width=1):
    address = model.joint(joint).qposadr[0]
    qpos[:, address : address + width] = np.asarray(values)

  qpos[:, : arm.NUM_JOINTS] = start.arm
  angle = FINGER_RANGE * scene.hand.grip / CLOSED
  angle -= _EASE if scene.hand.holds else 0.0
  for side in ("right", "left"):
    for part, sign in (("finger", 1), ("tip", -1), ("knuckle", 1)):
      put(f"{side}_{part}", sign * angle)
  for row, (name, thing) in enumerate(scene.things.items()):
    if not thing.fixed:
      pose = (start.positions[:, row], start.quats[:, row])
      put(name, np.concatenate(pose, axis=-1), 7)
    if thing.body.joint:
      put(f"{name}/joint", np.asarray(start.joints)[:, row, None])
  for row, name in enumerate(scene.distractors):
    put(name, np.asarray(start.distractors)[:, row], 7)
  return qpos


def states(scene: Scene, start: Start, qpos: np.ndarray) -> np.ndarray:
  """Returns the true state over time, alike for all scenes.

  Args:
    scene: whose.
    start: of B episodes.
    qpos: `[B, T+1, nq]` joint positions.

  Returns:
    float32 `[B, T+1, 56]`: of up to six things, in the order of `Scene.things`,
    x, y, z, the quaternion and the joint; then the arm's seven joints, and the
    right finger's. What is missing is 0.
  """
  model = scene.model
  things = np.zeros((*qpos.shape[:2], MAX_THINGS, 8), np.float32)

  def get(joint, width=1):
    address = model.joint(joint).qposadr[0]
    return qpos[..., address : address + width]

  for row, (name, thing) in enumerate(scene.things.items()):
    if thing.fixed:
      pose = np.concatenate([start.positions, start.quats], axis=-1)
      things[:, :, row, :7] = pose[:, None, row]
    else:
      things[:, :, row, :7] = get(name, 7)
    if thing.body.joint:
      things[:, :, row, 7:] = get(f"{name}/joint")
  parts = (
    things.reshape(*qpos.shape[:2], -1),
    qpos[..., : arm.NUM_JOINTS],
    get("right_finger"),
  )
  return np.concatenate(parts, axis=-1, dtype=np.float32)
