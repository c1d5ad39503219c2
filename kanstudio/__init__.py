"""KAN Studio: formulas as Kolmogorov-Arnold networks."""
