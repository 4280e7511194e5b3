import colorsys
import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from a2r.sim.humans import human_clips, looks, motion, props, scenes, templates

ALL = np.arange(len(human_clips.TEMPLATES))


@pytest.fixture(scope="module")
def keys():
  return jax.random.split(jax.random.key(0), len(ALL))


@pytest.fixture(scope="module")
def clips(keys):
  """A clip of every template; all calls here share its program."""
  return jax.device_get(
    human_clips.sample_clips(keys, ALL, 0, num_frames=4, image_size=32)
  )


def test_a_clip_depends_on_its_own_key_alone(keys, clips):
  turned = human_clips.sample_clips(
    keys[::-1], ALL[::-1], 0, num_frames=4, image_size=32
  )
  np.testing.assert_array_equal(clips.frames, turned.frames[::-1])


def test_pictures_show_something_that_moves(clips):
  frames = clips.frames.astype(np.float32)
  assert frames.shape == (len(ALL), 4, 32, 32, 3)
  assert (frames.std(axis=(1, 2, 3)).max(axis=-1) > 5).all()
  change = np.abs(frames[:, 1:] - frames[:, :-1]).mean(axis=(1, 2, 3, 4))
  assert (change > 0.2).mean() > 0.9


def test_captions_name_the_subject(clips):
  pushing = human_clips.TEMPLATES.index("Pushing something from left to right")
  caption = human_clips.caption(pushing, [human_clips.NOUNS.index("cup"), 0])
  assert caption == "pushing cup from left to right"
  for template, nouns in enumerate(clips.nouns):
    text = human_clips.caption(template, nouns)
    assert "something" not in text
    assert human_clips.NOUNS[nouns[0]] in text
    row = templates.ROWS[template]
    covers = row.partner == templates.COVER
    if row.subject == templates.THING:
      assert props.THINGS[nouns[int(covers)]] in row.things


def test_templates_are_those_of_something_something_v2():
  path = pathlib.Path(__file__).parents[2] / "golden" / "ssv2_labels.json"
  known = set(json.loads(path.read_text()))
  assert len(human_clips.TEMPLATES) == len(set(human_clips.TEMPLATES)) >= 34
  assert set(human_clips.TEMPLATES) <= known
  paired = [name for pair in human_clips.OPPOSITES for name in pair]
  assert set(paired) <= set(human_clips.TEMPLATES)
  assert len(paired) == len(set(paired)) >= 16


@pytest.fixture(scope="module")
def draw():
  """Rows, scenes and first, middle and last poses: `[C, 40, ...]`."""

  def one(label, rng, held_out, outcome):
    row = scenes.row_of(label)
    scene = scenes.sample_scene(rng, row, held_out, outcome)
    times = jnp.array([0.0, 0.5, 1.0])
    poses = jax.vmap(lambda time: motion.motion(row, scene, time))(times)
    return row, scene, poses

  over_keys = jax.vmap(one, in_axes=(None, 0, None, None))
  draw_all = jax.jit(jax.vmap(over_keys, in_axes=(0, None, None, None)))
  keys = jax.random.split(jax.random.key(2), 40)

  def draw(held_out=0, outcome=scenes.DONE):
    flags = jnp.array(held_out), jnp.array(outcome)
    return jax.device_get(draw_all(ALL, keys, *flags))

  return draw


@pytest.fixture(scope="module")
def drawn(draw):
  return [draw(), draw(held_out=1)]


def _in_picture(scene, points):
  """Points `[..., 3]` as the camera sees them: right, up, in half pictures."""
  camera = scene.camera
  seen = np.einsum(
    "...i,...ij->...j", points - camera.position, camera.rotation
  )
  half = -seen[..., 2:] * np.tan(np.radians(camera.fovy) / 2)[..., None]
  return seen[..., :2] / half


@pytest.mark.parametrize(
  "text, axis, sign",
  [
    ("Pushing something from left to right", 0, 1),
    ("Pulling something from right to left", 0, -1),
    ("Moving something away from the camera", 1, 1),
    ("Moving something towards the camera", 1, -1),
    ("Moving something up", 1, 1),
    ("Moving something down", 1, -1),
  ],
)
def test_ways_are_meant_as_the_camera_sees_them(drawn, clips, text, axis, sign):
  i = human_clips.TEMPLATES.index(text)
  assert sign * clips.shift[i, axis] > 0
  assert (np.abs(clips.start[i]) < 1.5).all()
  for _, scene, poses in drawn:
    scene = jax.tree.map(lambda x: x[i], scene)
    first, last = (_in_picture(scene, poses.center[i, :, k, 0]) for k in (0, 2))
    way = last - first
    assert (sign * way[:, axis] > 0).all()
    assert (np.abs(way[:, axis]) > np.abs(way[:, 1 - axis])).mean() > 0.9


def test_subjects_are_in_the_picture(drawn):
  for _, scene, poses in drawn:
    middle = poses.center[:, :, 1, 0]
    inside = np.abs(_in_picture(scene, middle)).max(-1) < 1
    rows = [r.subject == templates.THING for r in templates.ROWS]
    assert inside[np.array(rows)].mean() > 0.9


def test_both_things_move_where_the_template_says_so(drawn):
  row, _, poses = drawn[0]
  partner = poses.center[:, :, :, 1]
  moved = np.linalg.norm(partner[:, :, 2] - partner[:, :, 0], axis=-1).max(-1)
  np.testing.assert_array_equal(moved > 0.05, row.both[:, 0] > 0)


def test_opposites_end_where_the_other_begins(drawn):
  poses = drawn[0][2]
  for pair in human_clips.OPPOSITES:
    one, other = (human_clips.TEMPLATES.index(name) for name in pair)
    if templates.ROWS[one].tilt or templates.ROWS[one].state[0]:
      continue
    moved = [
      poses.center[i, :, 2, 0] - poses.center[i, :, 0, 0] for i in (one, other)
    ]
    along = np.einsum("bi,bi->b", *moved)
    assert (along < 0).mean() > 0.9, pair


def _subject(row, poses):
  """Where the subject is `[C, 40, 3 times, 3]`, or how far it is turned."""
  kind = row.subject[:, :, None, None]
  return np.select(
    [kind == templates.THING, kind == templates.OPENER],
    [poses.center[:, :, :, 0], poses.opener[..., None]],
    poses.faucet[..., None],
  )


def test_failures_fall_short_of_the_deed(drawn, draw):
  row, scene, poses = drawn[0]
  done = _subject(row, poses)
  for column, outcome in enumerate(
    (scenes.MISSED, scenes.STOPPED, scenes.IDLE)
  ):
    may = scenes.MAY_FAIL[:, column]
    failed_scene, failed = draw(outcome=outcome)[1:]
    np.testing.assert_array_equal(
      failed_scene.camera.position, scene.camera.position
    )
    subject = _subject(row, failed)
    np.testing.assert_allclose(subject[may, :, 0], done[may, :, 0], atol=1e-6)
    way = np.linalg.norm(subject[:, :, 2] - subject[:, :, 0], axis=-1)[may]
    whole = np.linalg.norm(done[:, :, 2] - done[:, :, 0], axis=-1)[may]
    if outcome == scenes.STOPPED:
      apart = np.linalg.norm(subject[:, :, 2] - done[:, :, 2], axis=-1)[may]
      tilts = np.array([bool(r.tilt) for r in templates.ROWS])[may]
      assert (apart > 0.01)[~tilts].all()
    else:
      assert (way < 1e-6).all()
    assert whole.max() > 0.1
  gap = np.linalg.norm(failed.fingertip - failed.center[:, :, :, 0], axis=-1)
  things = scenes.MAY_FAIL[:, 2] & (row.subject[:, 0] == templates.THING)
  assert (gap[things] > 0.1).all()  # An idle arm stays away.


def test_no_failure_looks_like_the_success_of_another_template():
  may = dict(zip(human_clips.TEMPLATES, scenes.MAY_FAIL.tolist(), strict=True))
  assert may["Closing something"] == [False, True, True]  # Else it pretends.
  assert may["Moving part of something"] == [True, False, True]  # Or touches.
  assert not any(may["Holding something"])
  assert not any(may["Pretending to pick something up"])
  assert may["Picking something up"] == [False, True, True]
  assert may["Pushing something from left to right"] == [True] * 3


def test_arms_are_hands_or_robots_that_reach(draw):
  _, scene, poses = draw()
  is_robot = scene.arm.body.is_robot
  assert 0.3 < is_robot.mean() < 0.7
  reach = np.linalg.norm(scene.arm.root[:, :, None] - poses.fingertip, axis=-1)
  links = 2 * scene.arm.body.link + 0.18
  assert (reach.max(-1) < links)[is_robot].mean() > 0.98


def test_doors_swing_level_and_lids_rise(drawn):
  scene = jax.tree.map(lambda x: x[0], drawn[0][1])  # Closing something.
  things = scene.things
  names = np.array(templates.NOUNS)[things.nouns[:, 0]]
  expected = np.where(things.door != 0, "door", "box")
  expected = np.where(things.is_drawer, "drawer", expected)
  np.testing.assert_array_equal(names, expected)
  assert set(things.door) == {-1, 0, 1}

  @jax.jit
  @jax.vmap
  def edges(scene):
    return [motion.opener(scene, jnp.float32(x))[2] for x in (0.0, 1.0)]

  way = np.subtract(*edges(scene)[::-1])
  size = things.fixture_scale[:, :1]
  rises = np.abs(way[:, 2]) / size[:, 0]
  assert (rises[names != "box"] < 1e-5).all()
  assert (rises[names == "box"] > 0.1).all()
  assert (np.linalg.norm(way[:, :2], axis=-1) / size[:, 0] > 0.1).all()


def test_held_out_scenes_are_never_drawn_in_training(drawn):
  (_, train, _), (_, held_out, _) = drawn
  for name in ("azimuth", "elevation", "fovy", "width", "grain"):
    low, high = looks.RANGES[name][2]
    for scene, inside in ((train, False), (held_out, True)):
      records = (scene.view, scene.arm.body, scene.colors)
      (values,) = (getattr(r, name) for r in records if hasattr(r, name))
      values = np.abs(values)
      assert (((values > low) & (values < high)) == inside).all(), name
  low, high = np.array(looks.RANGES["hue"][2]) % 1.0
  for scene, inside in ((train, False), (held_out, True)):
    paint = scene.colors.paint[..., 0, :].reshape(-1, 3)
    vivid = paint.max(-1) - paint.min(-1) > 0.05
    hue = [colorsys.rgb_to_hsv(*rgb)[0] for rgb in paint[vivid]]
    middle, half = (low + high) / 2, (high - low) / 2
    apart = np.abs(np.array(hue) - middle) - half  # Below 0 in the band.
    assert ((apart < 1e-3) if inside else (apart > -1e-3)).all()


def test_colors_are_named_as_people_would():
  names = tuple(looks.COLORS)
  for rgb, name in (
    ((0.7, 0.1, 0.15), "red"),
    ((0.1, 0.5, 0.1), "green"),
    ((0.3, 0.45, 0.9), "blue"),
    ((0.85, 0.85, 0.85), "white"),
  ):
    assert names[looks.name_color(jnp.array(rgb))] == name
