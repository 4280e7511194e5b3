"""One training loop and one small file per method."""
