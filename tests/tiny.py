"""Tiny models and runs of random parameters, for the tests of any package.

Parameters are drawn by numpy: compiling an init takes longer than most tests.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np

from a2r import reward, sim
from a2r.core import checkpoint, parallel, text
from a2r.learners import base, encoding, loop
from a2r.models import adapt2reward as net
from a2r.models import scorer
from a2r.models.fitvid import fitvid
from a2r.models.singularity import singularity
from a2r.planning import acting

KNOWN = ["closing drawer", "moving cup away from the camera", "opening box"]
AXES = {text: axis for axis, text in enumerate([*KNOWN, "juggling"])}
# The least there is: squares of two frames of 8 x 8 pixels, and one text layer.
_LEAST = dict(
  image_size=8, num_frames=2, patch_size=4, width=8, num_heads=2, mlp_width=16,
  vision_layers=0, temporal_layers=0, text_layers=1, fusion_layer=1,
  vocab_size=12, max_positions=12, embed_dim=8, dropout=0.0, drop_path=0.0,
  itm=False,
)  # fmt: skip
# A bit of every part of the published model.
_WHOLE = dict(
  image_size=16, num_frames=4, patch_size=8, stem_features=(4, 8), width=16,
  num_heads=2, mlp_width=24, vision_layers=1, temporal_layers=1, text_layers=2,
  fusion_layer=1, vocab_size=30, max_positions=20, embed_dim=8,
)  # fmt: skip
# A small model with the stem that sees whole clips, as a run's settings say it.
BACKBONE = dict(
  image_size=16, num_frames=2, stem="conv", stem_features=[4, 8], stem_patch=4,
  stem_window="clip", width=8, num_heads=2, mlp_width=8, vision_layers=1,
  temporal_layers=1, text_layers=1, fusion_layer=1, vocab_size=60,
  max_positions=12, embed_dim=8, itm=False,
)  # fmt: skip
PROMPTS = dict(
  num_failure_prompts=2, failure_prompt_length=1, domain_prompt_length=1
)


def config(**changes) -> singularity.Config:
  """Returns the sizes of the least backbone, for tests of learners."""
  return singularity.Config(**_LEAST | changes)


def whole_config(**changes) -> singularity.Config:
  """Returns the sizes of a tiny backbone with every part."""
  return singularity.Config(**_WHOLE | changes)


def draw_like(shapes, scale: float = 0.3, seed: int = 0):
  """Returns a tree of normal float32 arrays of the shapes of another tree."""
  draw = np.random.default_rng(seed)
  return jax.tree.map(
    lambda x: (scale * draw.normal(size=x.shape)).astype(np.float32), shapes
  )


def draw_fitvid(config, seed: int = 0):
  """Returns random `params` and `batch_stats` of FitVid; no scale is zero."""
  shapes = jax.eval_shape(
    lambda rng: fitvid.init_variables(config, rng), jax.random.key(0)
  )
  draw = np.random.default_rng(seed)
  moments = jax.tree.map(
    lambda x: draw.uniform(0.5, 1.5, x.shape).astype(np.float32),
    shapes["batch_stats"],
  )
  return {"params": draw_like(shapes["params"]), "batch_stats": moments}


def write_run(folder, settings, spec, params, *, extra=None, best=None):
  """Writes a run folder, its tokenizer trained on `KNOWN`.

  Args:
    folder: made, in a folder that exists.
    settings: config.json.
    spec: reward.json.
    params: the newest parameters, of step 5.
    extra: what the method keeps beside them.
    best: the best parameters, of step 3; by default the newest are the best.
  """
  folder.mkdir()
  text.Tokenizer.train(KNOWN, vocab_size=60).save(folder / "tokenizer.json")
  (folder / "reward.json").write_text(json.dumps(spec))
  (folder / "config.json").write_text(json.dumps(settings))
  with checkpoint.Checkpoints(folder) as saved:
    if best is not None:
      saved.save(3, {"params": best}, score=0.9)
    saved.save(5, {"params": params, "extra": extra or {}}, score=0.4)


def make_run(folder):
  """Writes a run of an untrained Adapt2Reward; the newest is not the best.

  Returns:
    The module, the newest parameters and the tokenizer.
  """
  model = net.Adapt2Reward(
    singularity.Config(**BACKBONE), num_tasks=2, **PROMPTS
  )
  shapes = net.params_like(model)
  params = draw_like(shapes)
  spec = {"instructions": KNOWN, "num_trained": 2, "form": "softmax"}
  settings = {
    "seed": 3,
    "data": {
      "dir": "/disk/someone/datasets",
      "robot": {"source": "folder", "path": "/disk/someone/my.csv"},
      "human": {"source": "procedural", "path": ""},
    },
    "model": {"init": "scratch", "backbone": BACKBONE} | PROMPTS,
    "loss": {"temperature": 0.1, "weights": {"fvlc": 1.0}},
    "train": {"num_steps": 5},
    "eval": {"environments": []},
  }
  write_run(folder, settings, spec, params, best=draw_like(shapes, seed=1))
  return model, params, text.Tokenizer.load(folder / "tokenizer.json")


def make_fake(form="cosine", failure_prompts=True, failing_fn=None):
  """A reward whose clip feature is told by the first pixel of the last frame.

  Level i means axis i; each instruction has its own axis, each failure text
  the axis after it.

  Args:
    form: of the reward.
    failure_prompts: whether the first two instructions have any.
    failing_fn: of those that have none, see `scorer.Instructions`.

  Returns:
    The reward, and a list that gathers the shapes of clips that the encoder is
    compiled for.
  """
  eye = np.eye(5, dtype=np.float32)
  compiled = []

  def encode(params, frames):
    del params
    compiled.append(frames.shape)
    return jnp.asarray(eye)[frames[:, -1, 0, 0, 0]]

  def encode_failures(texts):
    return eye[[[AXES[text] + 1, 4] for text in texts]]

  fake = scorer.Scorer(
    name="fake",
    params={"temperature": np.float32(1)},
    encode_fn=encode,
    score_fn=scorer.FormScore(form),
    context_fn=scorer.Instructions(
      KNOWN,
      num_trained=2,
      text_fn=lambda texts: eye[[AXES[text] for text in texts]],
      failure_text_fn=encode_failures if failure_prompts else None,
      failing_fn=failing_fn,
    ),
    num_frames=2,
    image_size=4,
  )
  return reward.Reward(fake), compiled


def make_blank_scorer(**changes):
  """Returns a scorer that looks at nothing: all scores are zero."""
  blank = scorer.Scorer(
    name="blank",
    params={},
    encode_fn=lambda params, frames: jnp.zeros(len(frames)),
    score_fn=lambda params, features, context: features[:, None] + context,
    context_fn=lambda texts: jnp.zeros(len(texts)),
    num_frames=8,
    image_size=64,
  )
  return blank._replace(**changes)


def make_clips(levels, num_frames=3, side=4):
  """Returns black clips whose last frame tells `make_fake` a level."""
  clips = np.zeros((len(levels), num_frames, side, side, 3), np.uint8)
  clips[:, -1, 0, 0, 0] = levels
  return clips


def make_runner(learner, params, extra, batch, num_devices, optimizer):
  """Returns `run(num_steps) -> (rows of metrics, state)` of one batch.

  The state is that of all devices, a leading axis over them.
  """
  step_fn = parallel.pmap_step(loop.make_step_fn(learner, optimizer))
  seeds = parallel.replicate(np.uint32(0), num_devices)
  batch = parallel.shard(batch, num_devices)

  def run(num_steps):
    state = base.create_state(params, extra, optimizer)
    state = parallel.replicate(state, num_devices)
    history = []
    for _ in range(num_steps):
      state, metrics = step_fn(state, batch, seeds)
      history.append(parallel.unreplicate(metrics))
    return history, jax.device_get(state)

  return run


class Clips:
  """Clips in memory, as a method asks a run for them."""

  parts = ("human", "robot", "failure")

  def __init__(self, tasks, frames=None):
    """Takes tasks `[N]`, and frames or parts of them, of every part."""
    self._tasks, self._frames = tasks, frames

  def tasks(self, part):
    del part
    return self._tasks

  def frames(self, part):
    del part
    return self._frames

  def read_labels(self, labels):
    return {label: label for label in labels}, list(labels)

  def batches(self, step, labels=None):
    raise NotImplementedError


def make_setup(model, ids, *, clips=None, may_mirror=None, **changes):
  """Returns what a run of random parameters gives its method.

  Args:
    model: the module.
    ids: `[I, L]` tokens of the instructions, 0 where there is none.
    clips: the run's; one of each instruction by default.
    may_mirror: `[I]`, which clips may be mirrored; crop and color if None.
    **changes: other fields.
  """
  texts = [f"text {row}" for row in range(len(ids))]
  augmentation = encoding.Augmentation("crop_color", 0.2, 0.3)
  if may_mirror is not None:
    texts = [
      f"{t}{'' if mirror else ' left'}"
      for t, mirror in zip(texts, may_mirror, strict=True)
    ]
    augmentation = encoding.Augmentation("published", 0.2, 0.3)
  fields = dict(
    model=model,
    tokenizer=lambda texts, length: (np.int32(ids), np.int32(ids > 0)),
    max_length=ids.shape[1],
    init_fn=lambda rng: draw_like(net.params_like(model)),
    labels=texts,
    texts=texts,
    num_trained=model.num_tasks,
    clips=clips or Clips(np.arange(len(ids))),
    temperature=0.1,
    augmentation=augmentation,
  )
  return base.Setup(**fields | changes)


def make_trials(seeds, settings):
  """Returns planning trials of noise, each of its seed alone."""
  draws = [np.random.default_rng(seed) for seed in seeds]
  steps = settings.horizon * settings.num_plans
  return acting.Trials(
    states=np.float32([rng.normal(size=(61, 13)) for rng in draws]),
    qpos=np.zeros((len(seeds), 61, 19), np.float32),
    actions=np.float32([rng.normal(size=(steps, 5)) for rng in draws]),
    success=np.array([rng.random() < 0.5 for rng in draws]),
    values=np.zeros((len(seeds), settings.num_plans), np.float32),
    frames=None,
  )


class Simulator:
  """Stands in for `sim.collect`: clips of noise, of whatever is asked for."""

  def __init__(self, before_fn=None):
    """Takes what is done before each call, of its number and its source."""
    self.calls, self._before_fn = [], before_fn

  def __call__(self, environment, task, source, seed, num_clips, **options):
    if self._before_fn is not None:
      self._before_fn(len(self.calls), source)
    self.calls.append((environment, task, source, seed, num_clips, options))
    rng = np.random.default_rng(seed)
    size = options["image_size"]
    shape = (num_clips, options["num_frames"], size, size, 3)
    return sim.Clips(
      frames=rng.integers(0, 256, shape).astype(np.uint8),
      success=np.full(num_clips, options["want"] or False),
      source=np.full(num_clips, source),
      seeds=np.arange(num_clips),
      states=np.zeros((num_clips, 61, 13), np.float32),
    )


def flip(path, at, bit=0):
  """Flips a bit of a file's byte `at`, a place or a share of its length."""
  content = bytearray(path.read_bytes())
  place = int(len(content) * at) if isinstance(at, float) else at
  content[place] ^= 1 << bit
  path.write_bytes(content)
