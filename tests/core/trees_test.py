"""Trees by name."""

import jax
import numpy as np
import optax
import pytest

from a2r.core import trees


def test_names_and_back():
  tree = {"b": {"kernel": np.ones(2)}, "a": np.zeros(3)}
  flat = trees.flatten(tree)
  assert set(flat) == {"a", "b/kernel"}
  jax.tree.map(np.testing.assert_array_equal, trees.nest(flat), tree)


def test_fit_restores_tuples_and_empty_parts():
  params = {"w": np.ones(2, np.float32)}
  state = optax.chain(optax.clip(1.0), optax.adam(1e-3)).init(params)
  nested = trees.nest(trees.flatten(state))
  back = trees.fit(state, nested, "here")
  assert jax.tree.structure(back) == jax.tree.structure(state)


def test_fit_tells_where_and_what():
  wanted = {"a": np.ones(2), "b": np.ones(1)}
  stored = {"a": np.ones(2, np.float32), "c": np.ones(1)}
  with pytest.raises(ValueError, match="here does not fit the model") as caught:
    trees.fit(wanted, stored, "here")
  assert str(caught.value).split("\n")[1:] == [
    "  only stored: c",
    "  only in the model: b",
    "  a: stored float32[2], the model has float64[2]",
  ]


@pytest.mark.parametrize(
  "names", [["a/b", "a"], ["a", "a/b"], ["/".join("a" * 5000)]]
)
def test_names_that_make_no_tree_are_told(names):
  with pytest.raises(ValueError, match="x.safetensors: 'a"):
    trees.nest(dict.fromkeys(names, np.zeros(1)), "x.safetensors")
