"""Data sets of others, a file for each format with an `open_clips`."""
