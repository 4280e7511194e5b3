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
def drawn():
  """Rows, scenes and first, middle and last poses: `[C, 40, ...]`."""

  def one(label, rng, held_out):
    row = scenes.row_of(label)
    scene = scenes.sample_scene(rng, row, held_out)
    times = jnp.array([0.0, 0.5, 1.0])
    poses = jax.vmap(lambda time: motion.motion(row, scene, time))(times)
    return row, scene, poses

  over_keys = jax.vmap(one, in_axes=(None, 0, None))
  draw = jax.jit(jax.vmap(over_keys, in_axes=(0, None, None)))
  keys = jax.random.split(jax.random.key(2), 40)
  return [jax.device_get(draw(ALL, keys, jnp.array(flag))) for flag in (0, 1)]


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


def test_held_out_scenes_are_never_drawn_in_training(drawn):
  (_, train, _), (_, held_out, _) = drawn
  for name in ("azimuth", "elevation", "fovy", "width", "grain"):
    low, high = looks.RANGES[name][2]
    for scene, inside in ((train, False), (held_out, True)):
      records = (scene.view, scene.arm, scene.colors)
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
