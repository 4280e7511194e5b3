"""The tabletop's MuJoCo model: its MJCF, and where its joints are in qpos.

tabletop.xml, beside this file, is the scene and includes sawyer.xml, the robot.
Lengths are in meters, angles in radians, z up, the robot looks along +y. qpos
is 0-6 arm, 7-8 claws, 9-11 mug position, 12-15 mug quaternion, 16 drawer
(0 closed, -0.16 open), 17 coffee button, 18 faucet.
"""

import importlib.resources

import mujoco

_FILE, _INCLUDED = "tabletop.xml", "sawyer.xml"
FRAME_SKIP = 5
NQ, NV = 19, 18
ARM = slice(0, 7)
MUG = slice(9, 12)
MUG_QUAT = slice(12, 16)
DRAWER, BUTTON, FAUCET = 16, 17, 18
MUG_SPEED, DRAWER_SPEED = slice(9, 12), 15  # In qvel.
DRAWER_RANGE = (-0.16, 0.0)
HAND_LOW = (-0.4, 0.4, 0.0)
HAND_HIGH = (0.4, 0.8, 0.2)
HAND_QUAT = (0.70710678, 0.0, 0.0, 0.70710678)
HANDLE = (0.0, -0.16, 0.09)  # From the drawer, when closed.
FAUCET_REACH, FAUCET_HEIGHT = 0.175, 0.124  # Of the handle's tip.
MUG_RADIUS = 0.028
FIXTURES = ("drawer", "coffee", "faucet")  # Bodies that environments place.
FINGER_RADIUS = 0.012
FINGER_REACH = 0.045
FINGER_SPREAD = 0.05
FINGER_CLOSED = 0.01
HIDDEN_GROUP = 4


def make_spec() -> mujoco.MjSpec:
  """Returns the MJCF, uncolored, its fixtures at the origin."""
  folder = importlib.resources.files(__package__)
  included = {_INCLUDED: (folder / _INCLUDED).read_bytes()}
  xml = (folder / _FILE).read_text(encoding="utf-8")
  return mujoco.MjSpec.from_string(xml, include=included)


def make_model() -> mujoco.MjModel:
  """Returns the compiled model; `variants` places and colors it."""
  return make_spec().compile()


def make_contact_model() -> mujoco.MjModel:
  """Returns the same model with only those geoms that may touch something."""
  spec = make_spec()
  touching = {
    name for pair in spec.pairs for name in (pair.geomname1, pair.geomname2)
  }
  for geom in spec.geoms:
    if geom.name not in touching:
      spec.delete(geom)
  return spec.compile()
