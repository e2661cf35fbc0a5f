"""The mathematics of noise: rates, forms, one step, samplers, the two-step target. Arithmetic alone, no torch."""
