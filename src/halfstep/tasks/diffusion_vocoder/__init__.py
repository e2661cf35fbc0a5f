"""An experiment that failed: a waveform from its mel by the same diffusion (docs/experiments/diffusion-vocoder.md)."""
