"""Measures, tables, figures and reports of a trained reward."""
