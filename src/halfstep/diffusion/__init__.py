"""The mathematics of noise; knows neither audio nor networks."""
