"""Concept2Robot's table in PyBullet, built from the project's own model.

A control step is the release's: PyBullet's inverse kinematics of the flange's
pose, position control of all joints by Bullet's default gains, and one
`stepSimulation`, of 1/100 s in 40 substeps or of 1/30 s in 10. Shapes, masses
and places are those of `a2r.sim.concept`. Bullet multiplies the frictions of
two bodies where MuJoCo takes the larger one, so an object's is at least the
table's 1, and the fingertips' is 2.

Needs `pip install -r benchmarks/requirements-pybullet.txt`.
"""

import os
import pathlib
import tempfile
from xml.etree import ElementTree

import mujoco
import numpy as np
from etils import epy

from a2r.sim.concept import arm, drawing, physics, views
from a2r.sim.concept import scene as scene_lib

with epy.lazy_imports():
  import pybullet
  import pybullet_data

_KINDS = mujoco.mjtGeom
_HIDDEN_GROUP = 4
_ARM_FORCE, _GRIPPER_FORCE = 200.0, 1000.0
# By control steps a second.
_SUBSTEPS, _ITERATIONS = {100: 40, 30: 10}, {100: 40, 30: 20}
_NEAR, _FAR = 0.01, 10.0


class Table:
  """A scene in a PyBullet of its own, in this process and on one core."""

  def __init__(
    self, scene: scene_lib.Scene, *, view: str = "first", meshes: bool = False
  ):
    """Builds it.

    Args:
      scene: what is played with.
      view: one of `views.VIEWS`.
      meshes: whether the arm is the Panda of `pybullet_data`, which has meshes
        and Franka's own hand; it is of use for speed alone.
    """
    self.scene, self.model = scene, scene.model
    self.client = pybullet.connect(pybullet.DIRECT)
    self._set_physics()
    self._camera = _camera(view)
    with tempfile.TemporaryDirectory() as folder:
      self._add_still()
      if meshes:
        file = pathlib.Path(pybullet_data.getDataPath(), "franka_panda")
        self.robot = self._load(file / "panda.urdf", fixed=True)
      else:
        self.robot = self._load(self._write("link0", folder), fixed=True)
      self.things = {
        name: self._load(self._write(name, folder), fixed=thing.fixed)
        for name, thing in scene.things.items()
      }
    self._joints = {
      pybullet.getJointInfo(body, index, self.client)[1].decode(): (body, index)
      for body in (self.robot, *self.things.values())
      for index in range(pybullet.getNumJoints(body, self.client))
    }
    self.flange = self._joints["panda_joint8" if meshes else "flange"][1]
    self._fingers = () if meshes else _fingers()
    self._set_frictions()

  def close(self):
    """Ends it."""
    pybullet.disconnect(self.client)

  def reset(self, start: scene_lib.Start, row: int):
    """Brings all to where an episode starts."""
    for index, angle in enumerate(np.asarray(start.arm)[row]):
      self._put(self.robot, index, angle)
    angle = scene_lib.FINGER_RANGE * self.scene.hand.grip / scene_lib.CLOSED
    for name, sign in self._fingers:
      self._put(*self._joints[name], sign * angle)
    for number, (name, body) in enumerate(self.things.items()):
      position = np.asarray(start.positions)[row, number]
      quat = np.roll(np.asarray(start.quats)[row, number], -1)
      pybullet.resetBasePositionAndOrientation(
        body, position, quat, self.client
      )
      pybullet.resetBaseVelocity(body, (0, 0, 0), (0, 0, 0), self.client)
      if f"{name}/joint" in self._joints:
        joint = self._joints[f"{name}/joint"]
        self._put(*joint, np.asarray(start.joints)[row, number])
        pybullet.setJointMotorControl2(
          *joint,
          pybullet.VELOCITY_CONTROL,
          force=self.scene.things[name].body.joint.friction,
          physicsClientId=self.client,
        )
    self._rest = np.asarray(start.arm)[row].tolist()
    self._closing = [self._joints[name][1] for name, _ in self._fingers]

  def step(self, position: np.ndarray, quat: np.ndarray, finger: float):
    """Plays a control step.

    Args:
      position: `[3]` of the flange at its end.
      quat: `[4]` wxyz likewise.
      finger: radians of the finger joints.
    """
    joints = pybullet.calculateInverseKinematics(
      self.robot,
      self.flange,
      position,
      np.roll(quat, -1),
      restPoses=self._rest,
      physicsClientId=self.client,
    )[: arm.NUM_JOINTS]
    signs = [sign * finger for _, sign in self._fingers]
    forces = [_ARM_FORCE] * arm.NUM_JOINTS + [_GRIPPER_FORCE] * len(signs)
    pybullet.setJointMotorControlArray(
      self.robot,
      [*range(arm.NUM_JOINTS), *self._closing],
      pybullet.POSITION_CONTROL,
      targetPositions=[*joints, *signs],
      forces=forces,
      physicsClientId=self.client,
    )
    pybullet.stepSimulation(self.client)

  def draw(self) -> np.ndarray:
    """Draws it by TinyRenderer, uint8 `[120, 160, 3]`."""
    size = drawing.WIDTH, drawing.HEIGHT
    image = pybullet.getCameraImage(
      *size,
      *self._camera,
      renderer=pybullet.ER_TINY_RENDERER,
      physicsClientId=self.client,
    )[2]
    return np.reshape(image, (*size[::-1], 4)).astype(np.uint8)[..., :3]

  def state(self, name: str = "object"):
    """Returns where the flange and a thing are, and whether that is held.

    Args:
      name: of the thing.

    Returns:
      The flange's position `[3]`, the thing's position `[3]` and rotation
      matrix `[3, 3]`, and whether both fingertips touch it.
    """
    flange = pybullet.getLinkState(
      self.robot, self.flange, 0, 1, physicsClientId=self.client
    )[4]
    body = self.things[name]
    position, quat = pybullet.getBasePositionAndOrientation(body, self.client)
    matrix = np.reshape(pybullet.getMatrixFromQuaternion(quat), (3, 3))
    tips = [self._joints[f"{side}_tip"][1] for side in ("right", "left")]
    held = all(
      pybullet.getContactPoints(
        self.robot, body, tip, physicsClientId=self.client
      )
      for tip in tips
    )
    return np.array(flange), np.array(position), matrix, held

  def _set_physics(self):
    rate = self.scene.rate
    pybullet.setGravity(0, 0, -9.81, self.client)
    pybullet.setPhysicsEngineParameter(
      fixedTimeStep=1 / rate,
      numSubSteps=_SUBSTEPS[rate],
      numSolverIterations=_ITERATIONS[rate],
      enableConeFriction=1,
      contactBreakingThreshold=0.001,
      constraintSolverType=pybullet.CONSTRAINT_SOLVER_LCP_DANTZIG,
      globalCFM=1e-6,
      allowedCcdPenetration=0.0,
      enableFileCaching=0,
      physicsClientId=self.client,
    )

  def _add_still(self):
    """Adds floor and table."""
    for name, color in zip(
      ("floor/plane", "table/top"), drawing.STILL_RGB, strict=True
    ):
      geom = self.model.geom(name)
      half = geom.size if "table" in name else (10.0, 10.0, 0.01)
      at = geom.pos - (0, 0, 0 if "table" in name else 0.01)
      shape = {"halfExtents": half, "physicsClientId": self.client}
      body = pybullet.createMultiBody(
        0,
        pybullet.createCollisionShape(pybullet.GEOM_BOX, **shape),
        pybullet.createVisualShape(
          pybullet.GEOM_BOX, rgbaColor=(*color, 1), **shape
        ),
        at,
        physicsClientId=self.client,
      )
      pybullet.changeDynamics(
        body, -1, lateralFriction=1.0, physicsClientId=self.client
      )

  def _write(self, name, folder):
    """Writes the URDF of a body and all that hangs on it; returns its path."""
    file = pathlib.Path(folder, f"{name}.urdf")
    tree = ElementTree.ElementTree(_urdf(self.model, name))
    ElementTree.indent(tree)  # PyBullet cuts lines at 8,192 characters.
    tree.write(file)
    return file

  def _load(self, file, fixed):
    return pybullet.loadURDF(
      os.fspath(file),
      useFixedBase=fixed,
      flags=pybullet.URDF_USE_INERTIA_FROM_FILE,
      physicsClientId=self.client,
    )

  def _put(self, body, joint, angle):
    pybullet.resetJointState(body, joint, angle, 0, self.client)

  def _set_frictions(self):
    for name, body in self.things.items():
      thing, moving = self.scene.things[name], f"{name}/joint"
      links = [(body, -1)]
      links += [self._joints[moving]] if thing.body.joint else []
      for link in links:
        pybullet.changeDynamics(
          *link,
          lateralFriction=max(1.0, thing.body.friction),
          spinningFriction=0.005,
          linearDamping=0.0,
          angularDamping=0.0,
          physicsClientId=self.client,
        )
    for side in ("right", "left") if self._fingers else ():
      pybullet.changeDynamics(
        *self._joints[f"{side}_tip"],
        lateralFriction=2.0,
        physicsClientId=self.client,
      )


def commands(motion: physics.Motion) -> tuple[np.ndarray, ...]:
  """Returns what `Table.step` takes in each step, `[B, T, ...]` each."""
  quats = arm.forward(motion.joints).quat
  return tuple(map(np.asarray, (motion.positions, quats, motion.fingers)))


def _fingers():
  """The gripper's six joints, and which way each turns."""
  parts = (("finger", 1), ("tip", -1), ("knuckle", 1))
  return [
    (f"{side}_{part}", sign)
    for side in ("right", "left")
    for part, sign in parts
  ]


def _camera(view):
  """View and projection matrices."""
  camera = views.make_camera(view)
  back, up = camera.rotation[:, 2], camera.rotation[:, 1]
  eye = np.asarray(camera.position)
  return (
    pybullet.computeViewMatrix(eye, eye - back, up),
    pybullet.computeProjectionMatrixFOV(
      float(camera.fovy), views.ASPECT, _NEAR, _FAR
    ),
  )


def _urdf(model, name):
  """Returns the URDF of a body and all that hangs on it."""
  root = model.body(name).id
  robot = ElementTree.Element("robot", name=name)
  for body in np.flatnonzero(model.body_rootid == root):
    link = ElementTree.SubElement(robot, "link", name=model.body(body).name)
    _add_inertia(link, model, body)
    geoms = np.flatnonzero(model.geom_bodyid == body)
    for geom in geoms:
      if model.geom_group[geom] != _HIDDEN_GROUP:
        _add_shape(link, "visual", model, geom)
      if model.geom_contype[geom] or model.geom_conaffinity[geom]:
        _add_shape(link, "collision", model, geom)
    if body != root:
      _add_joint(robot, model, body)
  return robot


def _add_inertia(link, model, body):
  """Adds mass and inertia; those of things are diagonal in their own frames."""
  inertial = ElementTree.SubElement(link, "inertial")
  inertia, position = model.body_inertia[body], model.body_ipos[body]
  quat = model.body_iquat[body]
  if model.body_parentid[body] == 0:
    turn = np.zeros(9)
    mujoco.mju_quat2Mat(turn, quat)
    inertia = turn.reshape(3, 3) ** 2 @ inertia
    position, quat = np.zeros(3), (1, 0, 0, 0)
  _add_origin(inertial, position, quat)
  ElementTree.SubElement(inertial, "mass", value=str(model.body_mass[body]))
  names = ("ixx", "iyy", "izz")
  moments = dict(zip(names, map(str, inertia), strict=True))
  ElementTree.SubElement(
    inertial, "inertia", ixy="0", ixz="0", iyz="0", **moments
  )


def _add_shape(link, role, model, geom):
  element = ElementTree.SubElement(link, role)
  _add_origin(element, model.geom_pos[geom], model.geom_quat[geom])
  geometry = ElementTree.SubElement(element, "geometry")
  size, kind = 2 * model.geom_size[geom], model.geom_type[geom]
  if kind == _KINDS.mjGEOM_BOX:
    ElementTree.SubElement(geometry, "box", size=_text(size))
  else:
    tag = "capsule" if kind == _KINDS.mjGEOM_CAPSULE else "cylinder"
    ElementTree.SubElement(
      geometry, tag, radius=str(size[0] / 2), length=str(size[1])
    )
  if role == "visual":
    material = ElementTree.SubElement(element, "material", name=f"color{geom}")
    ElementTree.SubElement(material, "color", rgba=_text(model.geom_rgba[geom]))


def _add_joint(robot, model, body):
  """Adds what a body hangs on: a hinge, a slide, or nothing that moves."""
  name, parent = (model.body(b).name for b in (body, model.body_parentid[body]))
  rows = np.flatnonzero(model.jnt_bodyid == body)
  if not len(rows):
    joint = ElementTree.SubElement(robot, "joint", name=name, type="fixed")
  else:
    hinges = model.jnt_type[rows[0]] == mujoco.mjtJoint.mjJNT_HINGE
    joint = ElementTree.SubElement(
      robot,
      "joint",
      name=model.joint(rows[0]).name,
      type="revolute" if hinges else "prismatic",
    )
    low, high = map(str, model.jnt_range[rows[0]])
    ElementTree.SubElement(joint, "axis", xyz=_text(model.jnt_axis[rows[0]]))
    ElementTree.SubElement(
      joint, "limit", lower=low, upper=high, effort="1000", velocity="100"
    )
  _add_origin(joint, model.body_pos[body], model.body_quat[body])
  ElementTree.SubElement(joint, "parent", link=parent)
  ElementTree.SubElement(joint, "child", link=name)


def _add_origin(element, position, quat):
  turn = np.zeros(9)
  mujoco.mju_quat2Mat(turn, np.asarray(quat, float))
  turn = turn.reshape(3, 3)
  pitch = np.arcsin(np.clip(-turn[2, 0], -1, 1))
  roll = np.arctan2(turn[2, 1], turn[2, 2])
  yaw = np.arctan2(turn[1, 0], turn[0, 0])
  ElementTree.SubElement(
    element, "origin", xyz=_text(position), rpy=_text((roll, pitch, yaw))
  )


def _text(numbers):
  return " ".join(map(repr, map(float, numbers)))
