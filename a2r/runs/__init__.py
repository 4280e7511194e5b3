"""What a run is: its data, weights, training, trials, reproduction."""
