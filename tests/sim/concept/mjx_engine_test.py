"""MJX plays Concept2Robot's tasks as C MuJoCo does."""

import jax.numpy as jnp
import mujoco
import numpy as np
import pytest

from a2r import sim
from a2r.sim.concept import mjx_engine, physics, policies, tasks, universal
from a2r.sim.concept import scene as scene_lib

NUM = 8


def test_the_engine_is_chosen():
  assert sim.make("concept/45").backend == "c"
  assert sim.make("concept/45", physics="mjx").backend == "mjx"
  with pytest.raises(ValueError, match="unknown physics 'warp'"):
    sim.make("concept/45", physics="warp")


@pytest.mark.parametrize("number", [46, 14])
def test_places_are_those_of_c(number):
  scene = tasks.ALL_TASKS[number].scene
  model = universal.make(scene).model
  start = policies.sample_start(scene, [[2, number]])
  qpos = universal.pack(
    universal.make(scene), scene_lib.initial_qpos(scene, start)
  )[0]
  qpos += 0.05 * np.random.default_rng(0).normal(size=qpos.shape)
  data = mujoco.MjData(model)
  data.qpos[:] = qpos
  data.mocap_pos[:], data.mocap_quat[:] = universal.stand(scene, start)
  mujoco.mj_kinematics(model, data)
  with_places = mjx_engine._kinematics(
    mjx_engine.mjx.put_model(model, impl="jax"),
    mjx_engine.mjx.make_data(model, impl="jax").replace(
      qpos=jnp.float32(qpos),
      mocap_pos=jnp.float32(data.mocap_pos),
      mocap_quat=jnp.float32(data.mocap_quat),
    ),
  )
  for name in ("xpos", "xmat", "xipos", "ximat", "geom_xpos", "geom_xmat"):
    ours = np.asarray(getattr(with_places, name))
    theirs = getattr(data, name).reshape(ours.shape)
    np.testing.assert_allclose(ours, theirs, atol=3e-6, err_msg=name)
  hinges = model.jnt_type == mujoco.mjtJoint.mjJNT_HINGE
  for name in ("xanchor", "xaxis"):
    ours, theirs = (getattr(x, name)[hinges] for x in (with_places, data))
    np.testing.assert_allclose(ours, theirs, atol=3e-6, err_msg=name)


@pytest.mark.slow
def test_it_plays_as_c_does():
  agree, programs = [], []
  for number in (45, 94, 53):
    envs = {
      name: sim.make(f"concept/{number}", reward="manual", physics=name)
      for name in ("c", "mjx")
    }
    scene = envs["c"].task.scene
    seeds = [[5, number, n] for n in range(NUM)]
    start = policies.sample_start(scene, seeds)
    actions = policies.sample(envs["c"], "expert", start, seeds)
    played = {name: env.play(start, actions) for name, env in envs.items()}
    agree.extend(played["c"].success == played["mjx"].success)
    programs.append(mjx_engine._simulate._cache_size())
    # In the first control step the arm goes where it is told.
    joints = [x.qpos[:, 1, : physics.arm.NUM_JOINTS] for x in played.values()]
    np.testing.assert_allclose(*joints, atol=1e-3)
  assert np.mean(agree) > 0.85
  assert programs == [1, 1, 1]
