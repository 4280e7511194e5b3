"""Singularity: BEiT, a temporal encoder and BERT, in flax.linen."""
