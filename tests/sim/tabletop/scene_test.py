"""The MJCF files are models that MuJoCo's viewer can show as they are."""

import importlib.resources

import mujoco
import numpy as np
import pytest

from a2r.sim.tabletop import scene

FOLDER = importlib.resources.files("a2r.sim.tabletop")


@pytest.mark.parametrize(
  ("name", "size"), [("tabletop.xml", scene.NQ), ("sawyer.xml", 9)]
)
def test_a_file_alone_is_a_model(name, size):
  model = mujoco.MjModel.from_xml_path(str(FOLDER / name))
  assert model.nq == size


def test_only_what_touches_is_in_the_contact_model():
  model, contact = scene.make_model(), scene.make_contact_model()
  pairs = np.union1d(contact.pair_geom1, contact.pair_geom2)
  assert pairs.tolist() == list(range(contact.ngeom))
  assert contact.npair == model.npair
  assert contact.ngeom < model.ngeom
