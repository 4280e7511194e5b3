"""Acts: their templates, and that each motion does what its template says.

Letters: C acts, N scenes of each, T times, 3 things.
"""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim.concept import tasks
from a2r.sim.humans import acting, acts, human_clips, people, stages, templates

NUM = 16
TIMES = np.linspace(0.0, 1.0, 13)
BY_TEXT = {text: i for i, text in enumerate(acts.TEMPLATES)}


def test_every_task_of_concept2robots_table_has_a_human_template():
  labels = {task.template for task in tasks.TASKS.values()}
  assert len(labels) == 68
  assert labels <= set(people.TEMPLATES)
  assert set(acts.TEMPLATES) == labels - set(templates.TEMPLATES)


def test_templates_are_those_of_something_something_v2():
  path = pathlib.Path(__file__).parents[2] / "golden" / "ssv2_labels.json"
  assert set(acts.TEMPLATES) <= set(json.loads(path.read_text()))
  assert len(set(people.TEMPLATES)) == len(people.TEMPLATES) == 81
  assert people.TEMPLATES[:42] == human_clips.TEMPLATES
  assert acts.OPPOSITES == (("Folding something", "Unfolding something"),)


def test_a_third_place_names_the_first_thing_again():
  label = people.TEMPLATES.index(
    "Failing to put something into something because something does not fit"
  )
  ball, box = map(people.NOUNS.index, ("ball", "box"))
  assert people.caption(label, (ball, box)) == (
    "failing to put ball into box because ball does not fit"
  )
  for label in range(len(human_clips.TEMPLATES)):
    nouns = (ball, box)
    assert people.caption(label, nouns) == human_clips.caption(label, nouns)


def test_old_and_new_templates_are_drawn_by_their_own_programs(monkeypatch):
  def fake(name):
    def sample(rngs, labels, held_out, *, num_frames, image_size):
      rows = jax.random.key_data(rngs)[:, -1:] + np.zeros(2, np.int32)
      marked = np.stack([labels, np.full_like(labels, name)], axis=-1)
      frames = marked[:, None, None, None]
      return human_clips.Clips(frames, marked, marked[:, 0], rows, rows)

    return sample

  monkeypatch.setattr(human_clips, "sample_clips", fake(0))
  monkeypatch.setattr(people.act_clips, "sample_clips", fake(1))
  keys = jax.random.split(jax.random.key(0), 3)
  clips = people.sample_clips(keys, [3, 42, 80], num_frames=1, image_size=1)
  np.testing.assert_array_equal(clips.nouns, [[3, 0], [0, 1], [38, 1]])
  np.testing.assert_array_equal(clips.frames[:, 0, 0, 0], clips.nouns)
  alone = people.sample_clips(keys[1:2], [42], num_frames=1, image_size=1)
  np.testing.assert_array_equal(alone.start[0], clips.start[1])


@pytest.fixture(scope="module")
def drawn():
  """Stages `[C, N]` and poses `[C, N, T]`."""

  def one(label, rng):
    act = stages.act_of(label)
    stage = stages.sample_stage(rng, act)
    play = jax.vmap(lambda time: acting.play(act, stage, time))
    return stage, play(jnp.asarray(TIMES))

  over_keys = jax.vmap(one, in_axes=(None, 0))
  draw = jax.jit(jax.vmap(over_keys, in_axes=(0, None)))
  keys = jax.random.split(jax.random.key(5), NUM)
  return jax.device_get(draw(np.arange(len(acts.ROWS)), keys))


class Acted:
  """The scenes of one act, as a test reads them."""

  def __init__(self, drawn, text):
    self.stage, poses = jax.tree.map(lambda x: x[BY_TEXT[text]], drawn)
    self.subject, self.partner = poses.center[:, :, 0], poses.center[:, :, 1]
    self.up = poses.rotation[..., 2]  # `[N, T, 3, 3]`, by thing.
    self.turn = poses.rotation
    self.hand, self.tip = poses.fingertip, poses.stick[:, :, 0]
    self.radius = self.stage.things.radius
    self.half = self.stage.things.half_height
    self.apart = self.subject - self.partner

  def seen(self, offsets):
    """Level offsets `[N, 3]` as the camera sees them: right and away."""
    away = -self.stage.camera.rotation[..., 2] * np.array([1.0, 1.0, 0.0])
    away /= np.linalg.norm(away, axis=-1, keepdims=True)
    right = np.stack([away[:, 1], -away[:, 0], 0 * away[:, 0]], axis=-1)
    return [np.einsum("ni,ni->n", offsets, axis) for axis in (right, away)]

  def along(self, points):
    """Points `[N, T, 3]` from the act's place, along its line."""
    offsets = points - self.stage.place[:, None]
    return np.einsum("nti,ni->nt", offsets, self.stage.frame[..., 0])

  def lies(self, i, time=-1):
    """Whether thing `i` is on the table at a time."""
    lowest = np.minimum(self.radius[:, i], self.half[:, i])
    points = (self.subject, self.partner)[i][:, time, 2]
    most = np.maximum(self.radius[:, i], self.half[:, i])
    return (points > lowest - 1e-3) & (points < most + 1e-3)


def _level(offsets):
  return np.linalg.norm(offsets[..., :2], axis=-1)


@pytest.mark.parametrize("place", ["behind", "in front of", "next to"])
@pytest.mark.parametrize("verb", ["Dropping", "Holding", "Putting"])
def test_things_end_behind_in_front_and_beside_as_seen(drawn, verb, place):
  text = f"{verb} something {place} something"
  if text in templates.TEMPLATES:
    return  # Drawn by the first program.
  acted = Acted(drawn, text)
  right, away = acted.seen(acted.apart[:, -1])
  touching = acted.radius[:, :2].sum(-1)
  if place == "next to":
    assert (np.abs(right) > np.abs(away)).all()
    assert (np.abs(right) > 0.9 * touching).all()
  else:
    sign = 1 if place == "behind" else -1
    assert (sign * away > 0.9 * touching).all()
    assert (np.abs(right) < np.abs(away)).all()
  raised = acted.subject[:, -1, 2] - acted.half[:, 0]
  assert ((raised > 0.02) == (verb == "Holding")).all()
  fallen = acted.subject[:, 0, 2] - acted.subject[:, -1, 2]
  assert (fallen > 0.05).all() if verb != "Holding" else (fallen == 0).all()


def test_drops_are_fast_and_holding_is_still(drawn):
  acted = Acted(drawn, "Dropping something next to something")
  step = -np.diff(acted.subject[..., 2], axis=1).min(-1)
  lift = acted.subject[:, 0, 2] - acted.subject[:, -1, 2]
  assert (step > 0.25 * lift).all()
  assert (acted.hand[:, -1, 2] > acted.subject[:, -1, 2] + 0.05).all()
  acted = Acted(drawn, "Holding something over something")
  assert (np.ptp(acted.subject, axis=1) == 0).all()
  assert (_level(acted.apart) < 1e-3).all()
  assert (acted.apart[..., 2] > acted.half[:, :2].sum(-1)[:, None]).all()


def test_boxes_take_what_fits_and_nothing_else(drawn):
  acted = Acted(drawn, "Dropping something into something")
  height = stages.BOX_HEIGHT * acted.stage.things.fixture_scale[:, 0]
  inside = 0.08 * acted.stage.things.fixture_scale[:, 0]
  assert (acted.subject[:, 0, 2] > height).all()
  assert (acted.subject[:, -1, 2] < height).all()
  assert (acted.along(acted.subject)[:, -1] < inside).all()
  assert (acted.radius[:, 0] < inside).all()
  acted = Acted(
    drawn,
    "Failing to put something into something because something does not fit",
  )
  height = stages.BOX_HEIGHT * acted.stage.things.fixture_scale[:, 0]
  inside = 0.08 * acted.stage.things.fixture_scale[:, 0]
  assert (acted.radius[:, 0] > inside).all()
  lowest = acted.subject[..., 2].min(-1) - acted.half[:, 0]
  assert (lowest > height - 1e-3).all()


def test_shelves_have_things_beneath(drawn):
  for text, time in (
    ("Putting something underneath something", -1),
    ("Pulling something out of something", 0),
  ):
    acted = Acted(drawn, text)
    scale = acted.stage.things.fixture_scale[:, 0]
    along = np.abs(acted.along(acted.subject))
    under = along < 0.1 * scale[:, None]
    assert under[:, time].all() and not under[:, -1 - time].any()
    roof = 0.152 * scale
    assert (acted.subject[:, time, 2] + acted.half[:, 0] < roof).all()


def test_what_is_hidden_comes_out_from_behind(drawn):
  acted = Acted(drawn, "Pulling something from behind of something")
  right, away = acted.seen(acted.apart[:, 0])
  assert (away > np.abs(right)).all()
  right, away = acted.seen(acted.apart[:, -1])
  assert (np.abs(right) > acted.radius[:, 1]).all()
  acted = Acted(drawn, "Removing something, revealing something behind")
  right, away = acted.seen(acted.apart[:, 0])
  assert (away < -np.abs(right)).all()
  assert (acted.half[:, 0] > acted.half[:, 1]).all()
  assert (acted.stage.view.elevation <= 0.6).all()
  assert (_level(acted.apart[:, -1]) > 0.2).all()
  assert (np.ptp(acted.partner, axis=1) < 1e-6).all()


@pytest.mark.parametrize("verb, sign", [("Pushing", -1), ("Pulling", 1)])
def test_things_come_to_lie_on_the_towel(drawn, verb, sign):
  acted = Acted(drawn, f"{verb} something onto something")
  along = acted.along(acted.subject)
  assert (sign * (along[:, -1] - along[:, 0]) > 0.1).all()
  assert (np.abs(along[:, -1]) < 1e-3).all()
  # The hand is on the arm's side: behind the one, before the other.
  held = acted.along(acted.hand)[:, 6] - along[:, 6]
  assert (held > 0.4 * acted.radius[:, 0] - 0.02).all()


def test_thrown_things_fly(drawn):
  acted = Acted(drawn, "Throwing something")
  assert (acted.along(acted.subject)[:, -1] > 0.15).all()
  assert (_level(acted.hand - acted.subject)[:, -1] > 0.1).all()
  assert acted.lies(0).all()
  height = acted.subject[..., 2]
  assert (height.max(-1) > height[:, 0] + 0.03).all()

  acted = Acted(drawn, "Throwing something in the air and catching it")
  above = (acted.subject - acted.hand)[..., 2] - acted.half[:, :1]
  assert (above.max(-1) > 0.1).all()
  assert (np.abs(above[:, [0, -1]]) < 0.05).all()

  acted = Acted(drawn, "Throwing something against something")
  apart = _level(acted.apart)
  closest = apart.argmin(-1)
  assert (apart.min(-1) < acted.radius[:, :2].sum(-1) + 0.08).all()
  assert ((closest > 0) & (closest < len(TIMES) - 1)).all()
  assert (apart[:, -1] > apart.min(-1) + 0.01).all()
  assert acted.lies(0).all()


def test_sticks_reach_what_hands_do_not(drawn):
  for text in (
    "Hitting something with something",
    "Pushing something with something",
  ):
    acted = Acted(drawn, text)
    top = acted.stage.things.half_height[:, None, :1] * [0.0, 0.0, 1.0]
    to_tip = np.linalg.norm(acted.tip - acted.subject - top, axis=-1).min(-1)
    assert (to_tip < 0.12).all()
    to_hand = np.linalg.norm(acted.hand - acted.tip, axis=-1)
    np.testing.assert_allclose(to_hand, 2 * stages.STICK[0], atol=1e-4)
    moved = _level(acted.subject[:, -1] - acted.subject[:, 0])
    assert (moved > (0.01 if text.startswith("Hitting") else 0.1)).all()


def test_pushes_that_do_little_and_pokes_that_do_nothing(drawn):
  acted = Acted(drawn, "Pushing something so that it slightly moves")
  moved = _level(acted.subject[:, -1] - acted.subject[:, 0])
  assert ((moved > 0.03) & (moved < 0.1)).all()
  for text in (
    "Pretending to poke something",
    "Poking a stack of something without the stack collapsing",
  ):
    acted = Acted(drawn, text)
    assert (np.ptp(acted.subject, axis=1) < 1e-6).all()
    gap = np.linalg.norm(acted.hand - acted.subject, axis=-1).min(-1)
    misses = gap > acted.radius[:, 0] + 0.03
    assert (misses == text.startswith("Pretending")).all()


def test_things_tip_spin_and_collapse(drawn):
  acted = Acted(drawn, "Tipping something over")
  assert (acted.up[:, 0, 0, 2] > 0.99).all()
  assert (np.abs(acted.up[:, -1, 0, 2]) < 0.01).all()
  np.testing.assert_allclose(
    acted.subject[:, -1, 2], acted.radius[:, 0], atol=1e-3
  )
  acted = Acted(drawn, "Poking something so that it spins around")
  assert (np.ptp(acted.subject, axis=1) < 1e-4).all()
  x = acted.turn[:, :, 0, :, 0]
  angle = np.unwrap(np.arctan2(x[..., 1], x[..., 0]), axis=1)
  assert (np.abs(angle[:, -1] - angle[:, 0]) > np.pi).all()
  acted = Acted(drawn, "Poking a stack of something so the stack collapses")
  assert (np.diff(acted.stage.things.kinds) == 0).all()
  assert (acted.apart[:, 0, 2] > 0.03).all()
  assert acted.lies(0).all() and acted.lies(1).all()


def test_things_fall_off_or_stay(drawn):
  acted = Acted(drawn, "Pushing something off of something")
  assert (acted.apart[:, 0, 2] > acted.half[:, 1]).all() and acted.lies(0).all()
  text = "Pushing something so that it almost falls off but doesn't"
  acted = Acted(drawn, text)
  edge = acts.ROWS[BY_TEXT[text]].edge * acted.stage.reach
  short = edge[:, None] - acted.along(acted.subject)
  assert (short.min(-1) < acted.radius[:, 0]).all()
  assert (short[:, -1] > 0).all() and acted.lies(0).all()
  acted = Acted(
    drawn,
    "Putting something on the edge of something so it is not supported and"
    " falls down",
  )
  on_edge = acted.apart[..., 2] > acted.half[:, 1:2]
  assert on_edge[:, 0].all() and acted.lies(0).all()
  assert (_level(acted.apart[:, -1]) > acted.radius[:, 1]).all()


def test_balls_roll(drawn):
  acted = Acted(drawn, "Rolling something on a flat surface")
  alone = _level(acted.hand - acted.subject)[:, -1]
  assert (alone > 0.1).all() and (np.ptp(acted.subject[..., 2]) < 0.1)
  assert (np.diff(acted.along(acted.subject), axis=1) > -1e-6).all()
  acted = Acted(drawn, "Letting something roll down a slanted surface")
  height = acted.subject[..., 2] - acted.radius[:, :1]
  assert (np.diff(height, axis=1) < 1e-5).all() and (height[:, 0] > 0.05).all()
  assert (np.abs(height[:, -1]) < 1e-3).all()
  acted = Acted(
    drawn, "Letting something roll up a slanted surface, so it rolls back down"
  )
  height = acted.subject[..., 2] - acted.radius[:, :1]
  assert (height.max(-1) > 0.04).all()
  assert (np.abs(height[:, [0, -1]]) < 1e-3).all()


def test_towels_fold_and_unfold(drawn):
  for text, folded, flat in (
    ("Folding something", -1, 0),
    ("Unfolding something", 0, -1),
  ):
    acted = Acted(drawn, text)
    along = acted.along(acted.subject) / acted.stage.gap[:, None]
    np.testing.assert_allclose(along[:, folded], -0.5, atol=1e-3)
    np.testing.assert_allclose(along[:, flat], 0.5, atol=1e-3)
    assert (acted.subject[:, folded, 2] > acted.subject[:, flat, 2]).all()
    assert (acted.subject[:, 6, 2] > 0.02).all()


def test_cargo_rides_and_slips(drawn):
  carried = {}
  for text in (
    "Lifting something with something on it",
    "Tilting something with something on it slightly so it doesn't fall down",
    "Tilting something with something on it until it falls off",
  ):
    acted = Acted(drawn, text)
    apart = np.linalg.norm(acted.apart, axis=-1)
    carried[text] = np.ptp(apart, axis=1)
    tilt = np.arccos(np.clip(acted.up[:, :, 0, 2], -1, 1)).max(-1)
    if text.startswith("Lifting"):
      assert (acted.subject[:, -1, 2] > 0.1).all() and (tilt < 1e-2).all()
    elif "slightly" in text:
      assert ((tilt > 0.2) & (tilt < 0.5)).all()
    else:
      assert (tilt > 0.7).all() and acted.lies(1).all()
  lifted, tilted, dropped = carried.values()
  assert (lifted < 1e-4).all() and (tilted < 1e-4).all()
  assert (dropped > 0.03).all()


def test_acts_are_in_the_picture(drawn):
  stage, poses = drawn
  middle = poses.center[:, :, len(TIMES) // 2, 0]
  camera = stage.camera
  seen = np.einsum("cni,cnij->cnj", middle - camera.position, camera.rotation)
  half = -seen[..., 2:] * np.tan(np.radians(camera.fovy) / 2)[..., None]
  inside = np.abs(seen[..., :2] / half).max(-1) < 1
  assert inside.mean() > 0.95


@pytest.mark.slow
def test_pictures_show_acts_that_move():
  labels = np.arange(len(acts.ROWS))
  clips = people.act_clips.sample_clips(
    jax.random.key(0), labels, num_frames=4, image_size=32
  )
  frames = np.float32(clips.frames)
  assert frames.shape == (len(labels), 4, 32, 32, 3)
  change = np.abs(frames[:, 1:] - frames[:, :-1]).mean(axis=(1, 2, 3, 4))
  holds = np.array([text.startswith("Holding") for text in acts.TEMPLATES])
  assert (change[~holds] > 0.2).mean() > 0.9
  for row, nouns in zip(acts.ROWS, clips.nouns, strict=True):
    named = acts.NOUNS[nouns[0]]
    assert named in (*row.things, "towel")
