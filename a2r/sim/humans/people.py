"""Procedural human clips of all templates: of `human_clips`, then of `acts`.

A program draws the ones and another the others, so that a clip depends on its
key and its template alone. Letters: B clips.
"""

import jax
import numpy as np

from a2r.sim.humans import act_clips, acts, human_clips

TEMPLATES = (*human_clips.TEMPLATES, *acts.TEMPLATES)
NOUNS = acts.NOUNS
OPPOSITES = (*human_clips.OPPOSITES, *acts.OPPOSITES)
_NUM_FIRST = len(human_clips.TEMPLATES)


def sample_clips(
  rng, labels, held_out=0, *, num_frames: int, image_size: int
) -> human_clips.Clips:
  """Draws one clip per label, with one program or with both.

  Args:
    rng: typed key, consumed; or `[B]` keys, one per clip.
    labels: `[B]` int32 indices into `TEMPLATES`, not traced.
    held_out: as in `human_clips.sample_clips`.
    num_frames: T, evenly spaced over the clip, first and last included.
    image_size: pixels of the square picture.
  """
  labels = np.asarray(labels, np.int32)
  sizes = {"num_frames": num_frames, "image_size": image_size}
  is_act = labels >= _NUM_FIRST
  if not is_act.any():
    return human_clips.sample_clips(rng, labels, held_out, **sizes)
  rngs = rng if rng.ndim else jax.random.split(rng, len(labels))
  last = np.maximum(labels - _NUM_FIRST, 0)
  drawn = act_clips.sample_clips(rngs, last, held_out, **sizes)
  if is_act.all():
    return drawn
  first = np.minimum(labels, _NUM_FIRST - 1)
  others = human_clips.sample_clips(rngs, first, held_out, **sizes)
  return jax.tree.map(
    lambda a, b: np.where(is_act.reshape(-1, *[1] * (a.ndim - 1)), a, b),
    *jax.device_get((drawn, others)),
  )


def caption(template: int, nouns) -> str:
  """Returns the text of template number `template` with its `nouns` filled in.

  Args:
    template: index into `TEMPLATES`.
    nouns: two indices into `NOUNS`; as many are used as the template has
      places. A third place names the first thing again.
  """
  first, second = nouns
  text = TEMPLATES[template].lower()
  for noun in (first, second, first):
    text = text.replace("something", NOUNS[int(noun)], 1)
  return text
