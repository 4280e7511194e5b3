"""Command lines, one main per verb."""
