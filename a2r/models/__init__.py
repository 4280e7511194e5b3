"""Video-language networks in flax.linen and their converters."""
