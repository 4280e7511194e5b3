"""Sawyer and its two-finger gripper as MJCF: seven hinges, then two claws.

Joint frames, ranges, dampings and inertias are those of the Meta-World Sawyer
that DVD drives; meshes became capsules. The hand is dragged by a weld to the
mocap body. In the hand's frame x points along the fingers and y from finger to
finger; the commanded orientation turns x to the world's +y.
"""

# Sawyer's links: (position, quaternion, inertial, joint range, geoms).
_ARM = (
  (
    "0 0 0.08",
    "1 0 0 0",
    'pos="0.0244 0.011 0.1436" mass="5.32" diaginertia="0.065 0.051 0.0187"',
    "-3.0503 3.0503",
    '<geom name="arm/shoulder" type="capsule" size="0.066"'
    ' fromto="0 0 0.03 0.05 0.02 0.25"/>',
  ),
  (
    "0.081 0.05 0.237",
    "0.5 -0.5 0.5 0.5",
    'pos="-0.003 -0.0268 0.0925" mass="4.505"'
    ' diaginertia="0.0224 0.0222 0.0097"',
    "-3.8 -0.5",
    '<geom name="arm/upper" type="capsule" size="0.06"'
    ' fromto="0 0.02 0.04 0 -0.12 0.14"/>',
  ),
  (
    "0 -0.14 0.1425",
    "0.707107 0.707107 0 0",
    'pos="0 -0.015 0.1358" mass="1.745" diaginertia="0.0258 0.0255 0.0029"',
    "-3.0426 3.0426",
    '<geom name="arm/elbow" type="capsule" size="0.046"'
    ' fromto="0 0 0.02 0 0 0.26"/>',
  ),
  (
    "0 -0.042 0.26",
    "0.707107 -0.707107 0 0",
    'pos="-0.005 -0.028 -0.084" mass="2.51" diaginertia="0.0102 0.0097 0.0037"',
    "-3.0439 3.0439",
    '<geom name="arm/fore" type="capsule" size="0.05"'
    ' fromto="0 0.02 -0.05 0 -0.08 -0.126"/>',
  ),
  (
    "0 -0.125 -0.1265",
    "0.707107 0.707107 0 0",
    'pos="0 0.007 0.134" mass="1.1136" diaginertia="0.0137 0.0135 0.0013"',
    "-2.9761 2.9761",
    '<geom name="arm/wrist" type="capsule" size="0.038"'
    ' fromto="0 0 0.02 0 0.02 0.27"/>',
  ),
  (
    "0 0.031 0.275",
    "0.707107 -0.707107 0 0",
    'pos="0.006 -0.0237 0.0764" mass="1.5625"'
    ' diaginertia="0.0047 0.0042 0.0019"',
    "-2.9761 2.9761",
    '<geom name="arm/flange" type="capsule" size="0.042"'
    ' fromto="0 0 0.03 0 -0.06 0.105"/>',
  ),
  (
    "0 -0.11 0.1053",
    "0.0616248 0.06163 -0.704416 0.704416",
    'pos="0 0.0086 -0.005" mass="0.3292" diaginertia="0.00036 0.00031 0.0002"',
    "-4.7124 4.7124",
    '<geom name="arm/cuff" type="cylinder" size="0.042 0.028"'
    ' pos="0 0 -0.01"/>',
  ),
)

_HAND = """
      <body name="hand" pos="0 0 0.05" quat="-0.707107 0 0.707107 0">
        <inertial pos="-0.06 0 0" mass="0.4"
         diaginertia="0.0005 0.0005 0.0005"/>
        <geom name="palm/box" type="box" size="0.018 0.045 0.02"
         pos="-0.062 0 0"/>
        <geom name="palm/rail" type="capsule" size="0.009"
         fromto="-0.05 -0.055 0 -0.05 0.055 0"/>
        <geom name="hidden/palm" class="hidden" type="sphere" size="0.03"
         pos="-0.04 0 0" mass="0"/>
        <body name="right_claw" pos="0 -0.05 0" childclass="claw">
          <joint name="right_claw" range="0 0.04"/>
          <geom name="right_finger/tip" size="0.012" mass="1.016"
           fromto="-0.045 0 0 0.045 0 0"/>
          <geom name="hidden/right_tip" class="hidden" type="sphere"
           size="0.012" pos="0.045 0 0" mass="0"/>
        </body>
        <body name="left_claw" pos="0 0.05 0" childclass="claw">
          <joint name="left_claw" range="-0.04 0"/>
          <geom name="left_finger/tip" size="0.012" mass="0.032"
           fromto="-0.045 0 0 0.045 0 0"/>
          <geom name="hidden/left_tip" class="hidden" type="sphere"
           size="0.012" pos="0.045 0 0" mass="0"/>
        </body>
      </body>
"""


def make_arm() -> str:
  """Returns the bodies of the arm, nested, and the mocap body beside it."""
  xml = (
    '<body name="right_hand" pos="0 0 0.0245" quat="0.707107 0 0 0.707107">'
    '<geom name="palm/mount" type="cylinder" size="0.032 0.02"'
    f' pos="0 0 -0.02"/>{_HAND}</body>'
  )
  for index, (pos, quat, inertial, limits, geoms) in reversed(
    list(enumerate(_ARM))
  ):
    xml = (
      f'<body name="link{index}" pos="{pos}" quat="{quat}">'
      f'<inertial {inertial}/><joint name="j{index}" range="{limits}"/>'
      f"{geoms}{xml}</body>"
    )
  return f"""
    <body name="base" pos="0 -0.2 -0.3" childclass="arm">
      <geom name="arm/pedestal" type="cylinder" size="0.09 0.3"
       pos="0 0 -0.24"/>
      {xml}
    </body>
    <body name="mocap" mocap="true" pos="0 0.5 0.02"
     quat="0.707107 0 0 0.707107"/>
  """
