"""Bands to waveform, as a stream: what plays, by the model's own networks or by Griffin-Lim."""
