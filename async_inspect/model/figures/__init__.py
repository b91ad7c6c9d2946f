"""What is reckoned from a trace: sums, percentiles, paths, the picture at a moment."""
