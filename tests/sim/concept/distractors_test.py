"""Things that a task is not about: where they stand, and what they change."""

import jax
import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from a2r import sim
from a2r.sim.concept import distractors, physics, policies, tasks, views
from a2r.sim.concept import scene as scene_lib

MOST = distractors.MAX_DISTRACTORS
STARTS = 4


def _starts(scene, num=STARTS):
  return policies.sample_start(scene, [[5, n] for n in range(num)])


def _contacts(scene, start):
  """Pairs of bodies of which one is a distractor, at B starts."""
  model, pairs = scene.model, set()
  data, qpos = mujoco.MjData(model), scene_lib.initial_qpos(scene, start)
  for b, row in enumerate(qpos):
    for index, (name, thing) in enumerate(scene.things.items()):
      if thing.fixed:
        mocap = model.body(name).mocapid[0]
        data.mocap_pos[mocap] = start.positions[b, index]
        data.mocap_quat[mocap] = start.quats[b, index]
    data.qpos[:] = row
    mujoco.mj_forward(model, data)
    for contact in data.contact:
      names = [model.geom(g).name.partition("/")[0] for g in contact.geom]
      if set(names) & set(scene.distractors):
        pairs.add(frozenset(names))
  return pairs


@pytest.mark.parametrize("number", tasks.ALL_TASKS)
def test_they_stand_apart_and_in_every_picture(number):
  scene = distractors.add(tasks.ALL_TASKS[number].scene, MOST)
  start = _starts(scene)
  assert start.distractors.shape == (STARTS, MOST, 7)
  on_table = {frozenset((name, "table")) for name in scene.distractors}
  assert _contacts(scene, start) <= on_table
  for view in views.VIEWS:
    assert views.sees(start.distractors[..., :3], -0.03, view).all()


def test_touching_would_be_seen():
  scene = distractors.add(tasks.TASKS[93].scene, 1)
  start = _starts(scene, 1)
  start.distractors[:, :, :3] = start.positions[:, :1]
  assert frozenset(("object", "box_0")) in _contacts(scene, start)


@pytest.mark.parametrize("number", [5, 22, 42])
def test_the_task_s_own_things_start_as_without_them(number):
  scene = tasks.TASKS[number].scene
  assert distractors.add(scene, 0) is scene
  alone, among = _starts(scene), _starts(distractors.add(scene, MOST))
  for one, other in zip(alone[:4], among[:4], strict=True):
    np.testing.assert_array_equal(one, other)
  assert alone.distractors is None
  two = _starts(distractors.add(scene, 2)).distractors
  np.testing.assert_array_equal(two[0, 0], among.distractors[0, 0])


def test_they_rest_until_they_are_pushed():
  scene = distractors.add(tasks.TASKS[45].scene, MOST)
  start = _starts(scene, 2)
  still = np.zeros((2, physics.ACTION_SIZE))
  qpos = physics.play(scene, start, still).qpos
  assert np.abs(qpos[:, :, -7 * MOST :] - qpos[:, :1, -7 * MOST :]).max() < 2e-3
  pads = start.positions[0, 0]  # What the hand holds goes down on it.
  start.distractors[0, 0, :2] = pads[:2]
  down = np.float32(still)
  down[:, 2] = -0.4
  qpos = physics.play(scene, start, down).qpos[0]
  place = qpos[:, -7 * MOST :][:, :3]
  assert np.linalg.norm(place - place[0], axis=1).max() > 0.01


def test_the_environment_has_them():
  env = sim.make("concept/45", distractors=MOST)
  plain = sim.make("concept/45")
  rngs = jax.random.split(jax.random.key(0), 2)
  state, other = (jax.vmap(e.reset)(rngs) for e in (env, plain))
  np.testing.assert_array_equal(state.obs, other.obs)
  assert state.pipeline_state.distractors.shape == (2, MOST, 7)
  after = jax.vmap(env.step)(state, jnp.zeros((2, env.action_size)))
  assert after.done.all()
  pictures = [
    e.render(jax.tree.map(lambda x: x[0], s))
    for e, s in ((env, state), (plain, other))
  ]
  changed = (pictures[0] != pictures[1]).any(axis=-1).mean()
  assert 0.002 < changed < 0.1


@pytest.mark.parametrize("number", [-1, MOST + 1, 1.5])
def test_a_number_that_makes_no_sense_is_told(number):
  with pytest.raises(ValueError, match="distractors must be"):
    sim.make("concept/45", distractors=number)
