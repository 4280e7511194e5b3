"""Procedural clips of people at a table."""
