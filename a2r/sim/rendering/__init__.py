"""Analytic ray casting of primitive shapes, in JAX."""
