"""The tabletop of DVD as MJCF, from primitive geoms only.

A Sawyer arm dragged by a mocap body, a drawer, a faucet, a coffee machine and
a free mug on a table, after Chen, Nair and Finn, "Learning Generalizable
Robotic Reward Functions from 'In-The-Wild' Human Videos"
(https://arxiv.org/abs/2103.16817). Positions, ranges and dampings are those of
the published environment; meshes became capsules, boxes and cylinders.

What differs, so that C MuJoCo and MJX step it stably and alike: contacts are
the listed pairs (boxes are touched by spheres, all else is capsules and
planes; the arm's links touch nothing); the mug stands on four small feet and
resists turning, for it is set upright after every control step anyway; fingers
are capsules. docs/tabletop.md lists every difference with its reason.

Lengths are in meters, angles in radians, z up, the robot looks along +y. A geom
is called ``role/part``; a palette (`a2r.sim.tabletop.variants`) gives each role
its color. qpos is 0-6 arm, 7-8 claws, 9-11 mug position, 12-15 mug quaternion,
16 drawer (0 closed, -0.16 open), 17 coffee button, 18 faucet.
"""

import mujoco

from a2r.sim.tabletop import sawyer

TIMESTEP = 0.0025
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
# What is of metal or glazed, and how strongly it shines.
_SHININESS = 0.25  # 32 as an exponent.
SHINING = {"faucet": 0.8, "drawer_handle": 0.5, "palm": 0.3, "mug": 0.3}

_DEFAULTS = """
  <default>
    <geom contype="0" conaffinity="0" group="1" density="0"/>
    <default class="arm">
      <joint damping="10" armature="0.001" limited="true"/>
    </default>
    <default class="claw">
      <joint type="slide" axis="0 1 0" armature="100" damping="1000"
       limited="true"/>
      <geom type="capsule"/>
    </default>
    <default class="handle"><geom type="capsule" size="0.009"/></default>
    <default class="hidden"><geom group="4" rgba="1 0 0 0.3"/></default>
  </default>
"""

_TABLE = """
    <geom name="floor/plane" type="plane" size="6 6 0.01" pos="0 0 -0.913"/>
    <geom name="table/top" type="box" size="0.7 0.4 0.027"
     pos="0 0.6 -0.027"/>
    <geom name="table/body" type="box" size="0.64 0.36 0.43"
     pos="0 0.6 -0.483"/>
    <geom name="hidden/table" class="hidden" type="plane" size="2 2 0.01"/>
"""

_DRAWER = """
    <body name="drawer">
      <geom name="drawer/left" type="box" size="0.008 0.1 0.084"
       pos="-0.11 0 0.084"/>
      <geom name="drawer/right" type="box" size="0.008 0.1 0.084"
       pos="0.11 0 0.084"/>
      <geom name="drawer/back" type="box" size="0.102 0.008 0.084"
       pos="0 0.092 0.084"/>
      <geom name="drawer/top" type="box" size="0.118 0.1 0.008"
       pos="0 0 0.16"/>
      <geom name="drawer/base" type="box" size="0.102 0.092 0.014"
       pos="0 -0.008 0.014"/>
      <geom name="hidden/case" class="hidden" type="box"
       size="0.118 0.1 0.084" pos="0 0 0.084"/>
      <body name="drawer_slide" pos="0 -0.01 0.09">
        <joint name="drawer" type="slide" axis="0 1 0" range="-0.16 0"
         limited="true" damping="2" armature="0.001" solreflimit="0.005 1"
         solimplimit="0.99 0.999 0.001"/>
        <inertial pos="0 -0.05 0" mass="0.38"
         diaginertia="0.002 0.002 0.002"/>
        <geom name="drawer_front/panel" type="box" size="0.1 0.008 0.052"
         pos="0 -0.082 0.008"/>
        <geom name="drawer_inside/left" type="box" size="0.006 0.08 0.044"
         pos="-0.09 0.005 0"/>
        <geom name="drawer_inside/right" type="box" size="0.006 0.08 0.044"
         pos="0.09 0.005 0"/>
        <geom name="drawer_inside/bottom" type="box" size="0.09 0.08 0.006"
         pos="0 0.005 -0.04"/>
        <geom name="drawer_handle/left" class="handle"
         fromto="-0.05 -0.09 0 -0.05 -0.15 0"/>
        <geom name="drawer_handle/right" class="handle"
         fromto="0.05 -0.09 0 0.05 -0.15 0"/>
        <geom name="drawer_handle/bar" class="handle"
         fromto="-0.05 -0.15 0 0.05 -0.15 0"/>
      </body>
    </body>
"""

_FAUCET = """
    <body name="faucet">
      <geom name="faucet/base" type="cylinder" size="0.046 0.009"
       pos="0 0 0.009"/>
      <geom name="faucet/post" type="capsule" size="0.017"
       fromto="0 0 0.017 0 0 0.105"/>
      <geom name="hidden/faucet" class="hidden" type="sphere" size="0.046"
       pos="0 0 0.035"/>
      <body name="faucet_swing" pos="0 0 0.124">
        <joint name="faucet" type="hinge" axis="0 0 1" range="-1.57 1.57"
         limited="true" damping="2" armature="0.001"/>
        <inertial pos="0 -0.08 0" mass="0.27"
         diaginertia="0.0006 0.0001 0.0006"/>
        <geom name="faucet/hub" type="cylinder" size="0.032 0.02"/>
        <geom name="faucet/stem" type="capsule" size="0.012"
         fromto="0 -0.03 0 0 -0.065 0"/>
        <geom name="faucet_handle/bar" type="capsule" size="0.017"
         fromto="0 -0.065 0 0 -0.175 0"/>
      </body>
    </body>
"""

_COFFEE = """
    <body name="coffee">
      <geom name="coffee/base" type="box" size="0.1 0.098 0.115"
       pos="0 0 0.115"/>
      <geom name="coffee/body" type="box" size="0.1 0.098 0.07"
       pos="0 0 0.3"/>
      <geom name="coffee_parts/head" type="box" size="0.07 0.035 0.05"
       pos="0 -0.133 0.3"/>
      <geom name="coffee_parts/spout" type="cylinder" size="0.018 0.02"
       pos="0 -0.13 0.23"/>
      <body name="coffee_button">
        <joint name="button" type="slide" axis="0 1 0" range="0 0.03"
         limited="true" damping="1" armature="0.001" stiffness="10"/>
        <inertial pos="0 -0.19 0.3" mass="0.1"
         diaginertia="0.0001 0.0001 0.0001"/>
        <geom name="button/cap" type="cylinder" size="0.032 0.02"
         pos="0 -0.18 0.3" quat="0.707107 0.707107 0 0"/>
      </body>
    </body>
"""

_MUG = """
    <body name="mug" pos="0 0.6 0">
      <freejoint name="mug"/>
      <inertial pos="0 0 0.033" mass="0.11"
       diaginertia="0.02 0.02 0.02"/>
      <geom name="mug/body" type="cylinder" size="0.028 0.033"
       pos="0 0 0.033"/>
      <geom name="mug_inside/top" type="cylinder" size="0.023 0.001"
       pos="0 0 0.066"/>
      <geom name="mug/handle" type="cylinder" size="0.02 0.005"
       pos="0.034 0 0.037" quat="0.707107 0.707107 0 0"/>
      <geom name="hidden/mug" class="hidden" type="capsule" size="0.028"
       fromto="0 0 0.028 0 0 0.042"/>
      <geom name="hidden/core" class="hidden" type="sphere" size="0.028"
       pos="0 0 0.035"/>
      {feet}
    </body>
"""

_FINGERS = ("right_finger/tip", "left_finger/tip")
_TIPS = ("hidden/right_tip", "hidden/left_tip")
# Pairs of geoms that may touch, and their sliding friction. Boxes are touched
# by spheres only: there the two engines agree exactly.
_PAIRS = (
  *(("hidden/table", f"hidden/foot{index}", 0.6) for index in range(4)),
  ("palm/rail", "hidden/mug", 0.6),
  ("hidden/core", "drawer_front/panel", 0.6),
  ("hidden/core", "coffee/base", 0.6),
  ("hidden/core", "hidden/case", 0.6),
  ("hidden/core", "hidden/faucet", 0.6),
  ("hidden/palm", "hidden/case", 0.6),
  ("hidden/palm", "coffee/base", 0.6),
  *((finger, "hidden/table", 0.6) for finger in _FINGERS),
  *((finger, "hidden/mug", 1.0) for finger in _FINGERS),
  *((finger, "drawer_handle/bar", 2.0) for finger in _FINGERS),
  *((finger, "faucet_handle/bar", 1.0) for finger in _FINGERS),
  *((tip, "drawer_front/panel", 1.0) for tip in _TIPS),
  *((tip, "coffee/base", 1.0) for tip in _TIPS),
  *((tip, "hidden/case", 1.0) for tip in _TIPS),
  *((tip, "faucet/post", 1.0) for tip in _TIPS),
)


def _make_mug() -> str:
  """The mug on four feet: a standing cylinder's contacts are ambiguous."""
  feet = "".join(
    f'<geom name="hidden/foot{index}" class="hidden" type="sphere"'
    f' size="0.005" pos="{x} {y} 0.005"/>'
    for index, (x, y) in enumerate(
      (x, y) for x in (-0.016, 0.016) for y in (-0.016, 0.016)
    )
  )
  return _MUG.format(feet=feet)


def make_xml() -> str:
  """Returns the MJCF of the tabletop, uncolored, its fixtures at the origin.

  The solver is what `mujoco.mjx` steps stably and fast: Newton with pyramidal
  cones, few iterations, implicit integration; the published environment has
  elliptic cones and 50 iterations.
  """
  pairs = "".join(
    f'<pair geom1="{one}" geom2="{two}" condim="3" solref="0.01 1"'
    f' solimp="0.95 0.99 0.01" friction="{mu} {mu} 0.005 0.0001 0.0001"/>'
    for one, two, mu in _PAIRS
  )
  materials = "".join(
    f'<material name="{role}" specular="{strength}" shininess="{_SHININESS}"/>'
    for role, strength in ({"plain": 0.0} | SHINING).items()
  )
  return f"""<mujoco model="tabletop">
  <compiler angle="radian" autolimits="true"/>
  <option timestep="{TIMESTEP}" solver="Newton" iterations="8" impratio="5"
   ls_iterations="8" cone="pyramidal" integrator="implicitfast"
   jacobian="dense"/>
  <visual>
    <headlight ambient="0.45 0.45 0.45" diffuse="0.25 0.25 0.25"
     specular="0 0 0"/>
    <quality shadowsize="4096" offsamples="0"/>
    <map znear="0.02" zfar="20"/>
    <global offwidth="640" offheight="640"/>
  </visual>
  {_DEFAULTS}
  <asset>{materials}</asset>
  <worldbody>
    <light name="lamp" directional="true" pos="0 0.6 2" dir="0.3 0.35 -1"
     diffuse="0.45 0.45 0.45" specular="0.5 0.5 0.5" castshadow="true"/>
    <camera name="camera" pos="0 0 1" fovy="45"/>
    {_TABLE}{sawyer.make_arm()}{_make_mug()}{_DRAWER}{_COFFEE}{_FAUCET}
  </worldbody>
  <equality>
    <weld body1="mocap" body2="hand" relpose="0 0 0 1 0 0 0" solref="0.02 1"/>
  </equality>
  <actuator>
    <position joint="right_claw" kp="400" ctrlrange="-1 1"/>
    <position joint="left_claw" kp="400" ctrlrange="-1 1"/>
  </actuator>
  <contact>{pairs}</contact>
</mujoco>"""


def make_model() -> mujoco.MjModel:
  """Returns the compiled model; `variants` places and colors it."""
  return mujoco.MjModel.from_xml_string(make_xml())


def make_contact_model() -> mujoco.MjModel:
  """Returns the same model with only those geoms that may touch something."""
  spec = mujoco.MjSpec.from_string(make_xml())
  touching = {name for one, two, _ in _PAIRS for name in (one, two)}
  for geom in spec.geoms:
    if geom.name not in touching:
      spec.delete(geom)
  return spec.compile()
