"""The functions of the package with arguments of wrong kinds and ranges.

An argument of a wrong type may be a TypeError that names what came; one that
is out of range is an error as documented.
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np

from tests.fuzz import harness
from tests.fuzz.harness import Case, Silent, Tools

DOOR = "api"
ENV, TASK = "tabletop/train", "close_drawer"
_NAN = float("nan")
_NO_TEXT = (None, 5, b"closing", ["a"], 1.5, {"a": 1})
_NO_COUNT = (0, -1, 1.5, _NAN, "2", None, 10**9, [1], 2**70, True)
_NO_SIZE = (0, -1, 1.5, _NAN, "64", None, 10**9, [64])


def _clips(shape=(2, 4, 16, 16, 3), dtype=np.uint8):
  return np.zeros(shape, dtype)


_CLIPS = {
  "none": lambda: None,
  "a text": lambda: "clip.mp4",
  "a number": lambda: 5,
  "empty list": lambda: [],
  "lists": lambda: _clips((1, 1, 1, 1, 3)).tolist(),
  "ragged": lambda: [[1], [1, 2]],
  "objects": lambda: np.array([None, 1], object),
  "texts": lambda: np.array(["a"]),
  **{f"rank {n}": lambda n=n: _clips((3,) * n) for n in (0, 1, 2, 3, 4, 6, 7)},
  **{
    f"{kind}": lambda kind=kind: _clips(dtype=kind)
    for kind in ("bool", "int8", "uint16", "int64", "float16", "float64",
                 "complex64", "datetime64[s]")
  },
  "not finite": lambda: np.full((1, 2, 4, 4, 3), np.nan, np.float32),
  **{
    f"no {axis}": lambda axis=axis: _clips(
      tuple(0 if i == axis else s for i, s in enumerate((2, 4, 16, 16, 3)))
    )
    for axis in range(5)
  },
  **{f"{c} colors": lambda c=c: _clips((1, 2, 8, 8, c)) for c in (1, 2, 4)},
  "channels first": lambda: _clips((2, 4, 3, 16, 16)),
  "records": lambda: np.zeros(3, [("a", "u1")]),
}  # fmt: skip
_ODD_CLIPS = {
  "one frame": lambda c: c[:, :1],
  "one pixel": lambda c: c[:, :, :1, :1],
  "turned": lambda c: c.swapaxes(2, 3),
  "strided": lambda c: np.repeat(c, 2, 1)[:, ::2],
  "backwards": lambda c: np.ascontiguousarray(c[:, ::-1])[:, ::-1],
  "fortran": np.asfortranarray,
  "read only": lambda c: _locked(c),
  "of a subclass": lambda c: c.view(np.ma.MaskedArray),
  "many frames": lambda c: np.repeat(c, 500, 1),
}
_TEXTS = {
  "none": None, "number": 5, "bytes": b"closing", "empty": "", "blank": " \n",
  "no list": [], "empties": ["", ""], "nones": [None, None], "numbers": [1, 2],
  "three": ["closing drawer"] * 3, "long": "close the drawer " * 500,
  "emoji": "\U0001f642", "nul": "\0", "other script": "关抽屉",
  "nested": [["a"], ["b"]], "dots": "...", "surrogate": "\ud800",
}  # fmt: skip


def _locked(clips):
  clips = clips.copy()
  clips.flags.writeable = False
  return clips


def cases() -> Iterator[Case]:
  """All of them."""
  for name, make in _CLIPS.items():
    yield _refused(
      f"score clips {name}",
      lambda t, m=make: _model(t).score(m(), "closing drawer"),
    )
  for name, change in _ODD_CLIPS.items():
    yield Case(DOOR, f"score odd {name}", functools.partial(_run_odd, change))
  for name, text in _TEXTS.items():
    run = lambda t, x=text: _model(t).score(t.things.clips, x)  # noqa: E731
    yield _refused(f"score text {name}", run)
    run = lambda t, x=text: _model(t).failure_modes(t.things.clips, x)  # noqa: E731
    yield _refused(f"failure modes {name}", run)
  for number, path in enumerate(
    (None, 5, "", b"", [], "nowhere", "\0", "x" * 300, 1.5, {})
  ):
    yield _refused(f"load {number}", lambda t, p=path: _reward().load(p))
    yield _refused(f"save {number}", lambda t, p=path: _save(t, p))
  for number, which in enumerate((None, "", "worst", 5, ["best"])):
    yield _refused(
      f"load which {number}",
      lambda t, w=which: _reward().load(t.things("run"), w),
    )
  for number, dtype in enumerate((None, "", "float64", "int8", 5, np.float32)):
    yield _refused(
      f"save dtype {number}",
      lambda t, d=dtype: _model(t).save(t.path / "x", dtype=d),
    )
  for key, values in {
    "name": ("", *_NO_TEXT), "task": ("", *_NO_TEXT),
    "image_size": _NO_SIZE, "samples": (0, -1, 1.5, _NAN, "2", None, 10**6),
    "physics": ("", "warp", *_NO_TEXT), "reward": ("", *_NO_TEXT),
    "noise": (-0.1, 0.2, _NAN, float("inf"), "0", None),
  }.items():  # fmt: skip
    for number, value in enumerate(values):
      yield _refused(
        f"make {key} {number}", lambda t, k=key, v=value: _make(**{k: v})
      )
  for key, values in {
    "environment": ("", *_NO_TEXT), "task": ("", *_NO_TEXT),
    "source": ("", "oracle", *_NO_TEXT),
    "seed": (-1, 1.5, _NAN, "0", None, [1, 2]),
    "num_clips": (-1, 1.5, _NAN, "2", None, 10**9),
    "num_frames": (0, -1, 1.5, _NAN, "2", None, 10**9),
    "image_size": _NO_SIZE, "samples": (0, -1, 1.5, "2", None, 10**6),
    "want": ("yes", 2, 0.5, []), "physics": ("", "warp", None),
  }.items():  # fmt: skip
    for number, value in enumerate(values):
      yield _refused(
        f"collect {key} {number}", lambda t, k=key, v=value: _collect(**{k: v})
      )
  for key, values in {
    "num_envs": _NO_COUNT, "num_steps": _NO_COUNT,
    "pixels_every": (-1, 1.5, 7, "2", None, 10**9),
    "rng": (None, "0", 1.5, [1]), "policy": (None, 5, "random"),
  }.items():  # fmt: skip
    for number, value in enumerate(values):
      yield _refused(
        f"rollout {key} {number}", lambda t, k=key, v=value: _rollout(**{k: v})
      )
  for number, value in enumerate(_NO_COUNT):
    if value is not None:
      for key in ("num_envs", "max_episode_steps", "image_size"):
        yield _refused(
          f"gym {key} {number}", lambda t, k=key, v=value: _gym(**{k: v})
        )
  for key in (
    "method", "num_samples", "horizon", "num_plans", "num_iterations",
    "num_elites", "temperature", "action_repeat", "clip", "micro_batch",
  ):  # fmt: skip
    for number, value in enumerate(
      (0, -1, _NAN, "x", [], 10**9, 2.5, float("inf"))
    ):
      if (key, value) != ("temperature", 2.5) and (key, value) != (
        "temperature",
        10**9,
      ):
        yield _refused(
          f"planner {key} {number}",
          lambda t, k=key, v=value: _planner(**{k: v}),
        )
  for number, value in enumerate(
    (None, [], [1.5], ["0"], [None], [-1], [2**32], [2**70], 5, [[1]], [_NAN])
  ):
    yield _refused(
      f"trials seeds {number}", lambda t, v=value: _trials([TASK], v)
    )
  for number, value in enumerate(
    (None, [], TASK, [None], [5], ["fly"], [[TASK]])
  ):
    yield _refused(f"trials tasks {number}", lambda t, v=value: _trials(v, [0]))
  for number, value in enumerate((0, -1, 1.5, "4", 10**12, _NAN, [2])):
    yield _refused(f"video frames {number}", lambda t, v=value: _video(t, v))
  for number, value in enumerate((None, 5, b"", "", "\0", 1.5, [])):
    yield _refused(f"video path {number}", lambda t, v=value: _film(v))


def _refused(name: str, call: Callable[[Tools], object]) -> Case:
  return Case(DOOR, name, functools.partial(_run_refused, call))


def _run_refused(call, tools: Tools) -> str:
  try:
    result = call(tools)
  except (*harness.MISTAKES, FloatingPointError) as error:
    return harness.told(str(error), [])
  except TypeError as error:
    text = str(error)
    kinds = ("NoneType", "float", "str", "int", "list", "bytes", "object",
             "dict", "bool", "PRNG", "key", "callable")  # fmt: skip
    if not any(kind in text for kind in kinds):
      raise harness.Vague(text) from error
    return harness.told(text.splitlines()[0], [])
  raise Silent(f"{result!r:.200}")


def _run_odd(change, tools: Tools) -> str:
  """Scores depend on the pictures, not on how they lie in memory."""
  model, clips = _model(tools), change(tools.things.clips)
  found = model.score(clips, "closing drawer")
  wanted = model.score(np.array(clips, order="C"), "closing drawer")
  if not np.allclose(found, wanted) or not np.isfinite(found).all():
    raise Silent(f"{found}, not {wanted}")
  return "valid"


def _reward():
  from a2r import reward

  return reward


def _model(tools):
  return tools.things.kept("model", lambda: _reward().load(tools.things("run")))


def _save(tools, path):
  tools.patch.chdir(tools.path)
  if path == "nowhere":
    (tools.path / "nowhere").write_text("")
  _model(tools).save(path)


def _make(**changes):
  from a2r import sim

  arguments = {"name": ENV} | changes
  return sim.make(arguments.pop("name"), **arguments)


def _gym(**changes):
  from a2r import sim

  return sim.make_gym(ENV, physics="c", **{"num_envs": 1} | changes)


def _collect(**changes):
  from a2r import sim

  fixed = {
    "environment": ENV, "task": TASK, "source": "random", "seed": 0,
    "num_clips": 1, "num_frames": 2, "image_size": 8,
  } | changes  # fmt: skip
  return sim.collect(**fixed)


def _rollout(**changes):
  import jax

  from a2r import sim

  def stay(rng, obs):
    return obs[:5] * 0

  fixed = {"policy": stay, "rng": jax.random.key(0), "num_envs": 1} | changes
  fixed = {"num_steps": 2} | fixed
  env = sim.make(ENV, physics="c")
  return sim.rollout(
    env, fixed.pop("policy"), fixed.pop("rng"), fixed.pop("num_envs"), **fixed
  )


def _planner(**changes):
  from a2r.planning import config

  fixed = {"method": "cem"} | changes
  return config.PlannerConfig(**fixed)


def _trials(tasks, seeds):
  from a2r.planning import acting, config

  settings = config.PlannerConfig(num_samples=1, horizon=1, num_plans=1)
  return acting.run(ENV, tasks, seeds, None, None, settings)


def _video(tools, num_frames):
  from data import video

  return video.load_video(tools.things("film.mp4"), num_frames=num_frames)


def _film(path):
  from data import video

  return video.load_video(path)
