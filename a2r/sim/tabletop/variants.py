"""The four tabletop environments as data: layout, colors and camera.

They are cumulative, as the paper has them: Train; Test 1 changes the colors;
Test 2 also the viewpoint; Test 3 also the arrangement. The released DVD files
env1..env4 give the figures (their env2 changes more than colors, so the
combinations are rebuilt here): colors of env1 and env2, cameras of env1 and
env3, layouts of env1 and env4. In every environment the mug starts at
(0, 0.6, 0), as a reset of the released code puts it.

Pictures are the centered square of DVD's 180 x 120 camera picture, flipped
top to bottom as DVD stores them: the camera is rolled by about 180 degrees, so
what is seen is upright and mirrored, with the world's +x on the left.
"""

import dataclasses

import mujoco
import numpy as np

from a2r.core import checks
from a2r.sim.rendering import camera as cameras
from a2r.sim.rendering import material
from a2r.sim.tabletop import scene


@dataclasses.dataclass(frozen=True)
class Layout:
  """Where the fixtures and the mug stand: `(x, y)` in meters."""

  drawer: tuple[float, float]
  coffee: tuple[float, float]
  faucet: tuple[float, float]
  mug: tuple[float, float] = (0.0, 0.6)


@dataclasses.dataclass(frozen=True)
class View:
  """A fixed camera: position in meters, quaternion wxyz, degrees."""

  position: tuple[float, float, float]
  quaternion: tuple[float, float, float, float]
  fovy: float = 45.0


@dataclasses.dataclass(frozen=True)
class Variant:
  """One environment."""

  name: str  # As registered.
  layout: Layout  # Where things stand.
  palette: dict[str, tuple[float, float, float]]  # RGB by role of a geom.
  view: View


_LAYOUT_TRAIN = Layout(
  drawer=(0.25, 0.75), coffee=(-0.04, 0.85), faucet=(-0.25, 0.70)
)
_LAYOUT_REARRANGED = Layout(
  drawer=(0.10, 0.90), coffee=(0.34, 0.85), faucet=(-0.15, 0.77)
)
_VIEW_TRAIN = View((0.05, -0.05, 0.6), (0.0218, -0.0378, 0.4995, -0.8652))
_VIEW_SIDE = View((0.3, -0.02, 0.5), (0.2, -0.2, 0.8, -1.2))

_PALETTE_TRAIN = {
  "floor": (0.42, 0.43, 0.45),
  "table": (0.66, 0.50, 0.34),
  "arm": (0.50, 0.10, 0.10),
  "palm": (0.22, 0.22, 0.24),
  "right_finger": (0.95, 0.95, 0.95),
  "left_finger": (0.20, 0.80, 0.85),
  "drawer": (0.40, 0.65, 0.40),
  "drawer_front": (0.46, 0.72, 0.45),
  "drawer_inside": (0.24, 0.40, 0.25),
  "drawer_handle": (0.85, 0.85, 0.85),
  "faucet": (0.70, 0.70, 0.72),
  "faucet_handle": (0.50, 0.10, 0.10),
  "coffee": (0.38, 0.19, 0.20),
  "coffee_parts": (0.12, 0.12, 0.13),
  "button": (0.80, 0.78, 0.75),
  "mug": (0.85, 0.85, 0.85),
  "mug_inside": (0.45, 0.42, 0.40),
}
_PALETTE_TEST = _PALETTE_TRAIN | {
  "table": (0.48, 0.33, 0.22),
  "arm": (0.10, 0.10, 0.50),
  "drawer": (0.545, 0.271, 0.075),
  "drawer_front": (0.62, 0.32, 0.11),
  "drawer_inside": (0.30, 0.16, 0.06),
  "drawer_handle": (0.25, 0.65, 0.30),
  "coffee": (0.65, 0.65, 0.65),
  "coffee_parts": (0.92, 0.92, 0.92),
  "button": (0.30, 0.30, 0.30),
  "mug": (0.20, 0.20, 0.20),
  "mug_inside": (0.42, 0.42, 0.42),
}
_GRAINED = {"table": 0.25}
SKY = (0.5, 0.5, 0.5)

VARIANTS = {
  variant.name: variant
  for variant in (
    Variant("tabletop/train", _LAYOUT_TRAIN, _PALETTE_TRAIN, _VIEW_TRAIN),
    Variant("tabletop/test1", _LAYOUT_TRAIN, _PALETTE_TEST, _VIEW_TRAIN),
    Variant("tabletop/test2", _LAYOUT_TRAIN, _PALETTE_TEST, _VIEW_SIDE),
    Variant("tabletop/test3", _LAYOUT_REARRANGED, _PALETTE_TEST, _VIEW_SIDE),
  )
}
ENVIRONMENTS = tuple(VARIANTS)
# Where DVD's target metric wants the cup, of the released file whose layout
# the environment has.
CUP_TARGETS = {
  name: (0.17, 0.65, 0.0)
  if variant.layout is _LAYOUT_REARRANGED
  else (0.0, 0.7, 0.0)
  for name, variant in VARIANTS.items()
}


def get(name: str) -> Variant:
  """Returns the environment of that name.

  Raises:
    KeyError: if there is none; the message lists the known.
  """
  checks.one_of("environment", name, VARIANTS, KeyError)
  return VARIANTS[name]


def make_model(variant: Variant) -> mujoco.MjModel:
  """Returns the one tabletop, its bodies placed, colored and viewed."""
  model = scene.make_model()
  for body in scene.FIXTURES:
    model.body(body).pos[:2] = getattr(variant.layout, body)
  model.body("mug").pos[:2] = variant.layout.mug
  model.qpos0[scene.MUG][:2] = variant.layout.mug
  shines = {model.material(index).name for index in range(model.nmat)}
  for index in range(model.ngeom):
    role = geom_role(model, index)
    material = role if role in shines else "plain"
    model.geom_matid[index] = model.material(material).id
    if role in variant.palette:
      model.geom_rgba[index] = (*variant.palette[role], 1.0)
  camera = model.camera("camera")
  camera.pos[:] = variant.view.position
  camera.quat[:] = _unit(variant.view.quaternion)
  camera.fovy[:] = variant.view.fovy
  return model


def geom_role(model: mujoco.MjModel, index: int) -> str:
  """Returns the part of a geom's name that a palette colors."""
  return model.geom(index).name.split("/")[0]


def geom_pattern(model: mujoco.MjModel, index: int) -> float:
  """Returns how strongly a geom is grained."""
  return _GRAINED.get(geom_role(model, index), 0.0)


def geom_shine(model: mujoco.MjModel, index: int) -> float:
  """Returns how strongly a geom shines."""
  return model.mat_specular[model.geom_matid[index]]


def make_camera(variant: Variant) -> cameras.Camera:
  """Returns the camera of `variant` as the renderer takes it."""
  rotation = np.zeros(9)
  mujoco.mju_quat2Mat(rotation, _unit(variant.view.quaternion))
  return cameras.Camera(
    position=np.float32(variant.view.position),
    rotation=np.float32(rotation.reshape(3, 3)),
    fovy=np.float32(variant.view.fovy),
  )


def make_light(model: mujoco.MjModel) -> material.Light:
  """Returns the lights of the scene as the renderer takes them."""
  direction = model.light_dir[0] / np.linalg.norm(model.light_dir[0])
  headlight = model.vis.headlight
  return material.Light(
    direction=np.float32(direction),
    ambient=np.float32(headlight.ambient[0]),
    headlight=np.float32(headlight.diffuse[0]),
    diffuse=np.float32(model.light_diffuse[0, 0]),
    specular=np.float32(model.light_specular[0, 0]),
    sky=np.float32(SKY),
  )


def _unit(quaternion) -> np.ndarray:
  quaternion = np.asarray(quaternion, np.float64)
  return quaternion / np.linalg.norm(quaternion)
