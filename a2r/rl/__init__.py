"""Reinforcement learning on Brax environments."""
