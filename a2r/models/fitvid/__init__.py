"""FitVid: action-conditioned video prediction."""
