"""Adapt2Reward: a language-conditioned reward learned from video, in JAX."""
