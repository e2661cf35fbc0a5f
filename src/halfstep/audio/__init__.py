"""Waveform <-> mel: nothing learned, numpy only."""
