"""A video model as dynamics: which picture is when, and whose is whose."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.core import checkpoint
from a2r.models.fitvid import fitvid
from a2r.planning import base, config, planner, video_model
from tests import tiny
from tests.planning import toy

CONFIG = fitvid.Config(
  image_size=8, patch=2, filters=(4,), num_blocks=1, expansion=1,
  decoder_kernel=3, code_size=4, rnn_size=4, predictor_layers=1,
  latent_size=2, stride=2,
)  # fmt: skip
ENVS, HORIZON = 2, 4


@pytest.fixture(scope="module")
def variables():
  return tiny.draw_fitvid(CONFIG)


@pytest.fixture(scope="module")
def state():
  rng = np.random.default_rng(0)
  return base.PlanState(
    sim=None,
    states=np.zeros((ENVS, 61, 13), np.float32),
    clip=np.zeros((ENVS, 0, 8, 8, 3), np.uint8),
    context=rng.integers(0, 256, (ENVS, 2, 8, 8, 3), np.uint8),
    past=np.float32(rng.uniform(-1, 1, (ENVS, 2, 5))),
  )


def timing(offsets):
  offsets = np.int32(offsets)
  return base.Timing(np.int32(0), offsets, np.arange(len(offsets)))


def actions(num_rows):
  rng = np.random.default_rng(1)
  return np.float32(rng.uniform(-1, 1, (num_rows, HORIZON, 5)))


def make_predict(variables, state, latent="mean"):
  """Function of the environment of each row and actions; keys differ."""

  @jax.jit
  def run(rows, moves, keys):
    dynamics = video_model.make_dynamics(CONFIG, variables, latent=latent)
    ready = dynamics.prepare_fn(dynamics.params, state)
    ready = state._replace(context=ready, past=None)
    ready = jax.tree.map(lambda x: jnp.asarray(x)[rows], ready)
    return dynamics.predict_fn(
      dynamics.params, ready, moves, timing([1, 2, 3, 4]), keys
    )

  def call(rows, moves):
    keys = jax.random.split(jax.random.key(0), len(rows))
    found = run(np.array(rows), moves, keys)
    assert found.states is None
    return np.asarray(found.frames)

  return call


@pytest.fixture(scope="module")
def predict(variables, state):
  """`make_predict`'s function; calls with four rows share its program."""
  return make_predict(variables, state)


def test_pictures_are_those_of_the_nearest_tick(predict, state):
  frames = predict([0, 1, 0, 1], actions(4))
  assert frames.shape == (4, 4, 8, 8, 3) and frames.dtype == np.uint8
  # Between two ticks the later one is as near as the earlier.
  np.testing.assert_array_equal(frames[:, 0], frames[:, 1])
  np.testing.assert_array_equal(frames[:, 2], frames[:, 3])
  assert (frames[:, 0] != frames[:, 2]).any()


def test_rows_belong_to_their_environment_and_actions(predict):
  moves = actions(4)
  frames = predict([0, 0, 1, 1], moves)
  alone = predict([1, 0, 1, 0], moves[[2, 1, 3, 0]])
  np.testing.assert_allclose(
    frames[[2, 1, 3, 0]].astype(int), alone.astype(int), atol=1
  )
  assert (frames[0] != frames[1]).any()


def test_predictions_are_the_models(predict, variables, state):
  model, moves = fitvid.FitVid(CONFIG), actions(4)
  outside = moves.copy()  # Rotation is clipped and scaled.
  moves[:, :, 3], outside[:, :, 3] = np.pi, 10.0
  scale = np.array([1, 1, 1, np.pi, 1], np.float32)
  rows = [0, 1, 0, 1]

  @jax.jit
  def expect(video, past, moves):
    context = model.apply(variables, video, past, method="start")
    return fitvid.predict(model, variables, context, moves)

  expected = expect(
    np.float32(state.context[rows]) / 255,
    fitvid.group(state.past[rows] / scale, 2),
    fitvid.group(moves / scale, 2),
  )
  found = predict(rows, outside)[:, 1::2]  # Where the two ticks end.
  np.testing.assert_allclose(found, expected * 255, atol=0.6)


def test_samples_differ_by_key_and_means_do_not(predict, variables, state):
  moves = np.repeat(actions(1), 4, axis=0)
  sample = make_predict(variables, state, "sample")
  for call, differs in ((predict, False), (sample, True)):
    frames = call([0] * 4, moves)[:, -1]
    assert bool((frames[0] != frames[1]).any()) == differs


def _brightness(params, rows, future, timing, task):
  return future.frames.astype("float32").mean(axis=(1, 2, 3, 4))


def test_plans_with_it(variables, state):
  dynamics = video_model.make_dynamics(CONFIG, variables)
  objective = base.Objective("bright", {}, _brightness, num_frames=2)
  settings = config.PlannerConfig(
    num_samples=3, horizon=HORIZON, clip="future", micro_batch=3
  )
  task = np.zeros(ENVS, np.int32)
  arguments = toy.keys(range(ENVS)), state, timing([2, 4]), task
  plan = planner.make_plan_fn(dynamics, objective, settings)(*arguments)
  assert plan.actions.shape == (ENVS, HORIZON, 5)
  np.testing.assert_allclose(plan.value, plan.values.max(axis=1))
  plan_fn = planner.make_plan_fn(dynamics, objective, settings, on_device=True)
  one = plan_fn(*arguments)
  np.testing.assert_allclose(one.values, plan.values, atol=0.5)


def _all_equal(params, rows, future, timing, task):
  return np.zeros(task.shape, np.float32)


def test_who_looks_at_nothing_plans_with_it(variables, state):
  dynamics = video_model.make_dynamics(CONFIG, variables)
  objective = base.Objective("clock", {}, _all_equal)
  settings = config.PlannerConfig(num_samples=2, num_elites=1, horizon=HORIZON)
  task = np.zeros(ENVS, np.int32)
  plan = planner.make_plan_fn(dynamics, objective, settings)(
    toy.keys(range(ENVS)), state, timing([]), task
  )
  np.testing.assert_array_equal(plan.index, [0, 0])


def test_equal_dynamics_are_compiled_once(variables):
  one, two = (video_model.make_dynamics(CONFIG, variables) for _ in range(2))
  for name in ("predict_fn", "prepare_fn"):
    assert getattr(one, name) == getattr(two, name)
    assert hash(getattr(one, name)) == hash(getattr(two, name))


def save(folder, variables, model):
  parts = {
    "params": variables["params"],
    "extra": {"batch_stats": variables["batch_stats"]},
  }
  config = {"model": model, "data": {"environment": "a,b"}}
  with checkpoint.Checkpoints(folder) as checkpoints:
    checkpoints.save(3, parts, {"config": config})


def test_load(tmp_path, variables):
  save(tmp_path, variables, dict(vars(CONFIG)))
  loaded = video_model.load(tmp_path, environment="b")
  made = video_model.make_dynamics(CONFIG, variables)
  assert loaded.predict_fn == made.predict_fn
  assert loaded[4:] == made[4:]
  jax.tree.map(np.testing.assert_array_equal, loaded.params, variables)
  with pytest.raises(ValueError, match="trained in a,b, not in c"):
    video_model.load(tmp_path, environment="c")
  save(tmp_path / "other", variables, {"backbone": {}})
  with pytest.raises(ValueError, match="no run of a video model"):
    video_model.load(tmp_path / "other")
