"""The bands of small tests of pitch: fine enough for semitones, at a rate that is quick."""

from halfstep.audio.mel import MelConfig

PITCH = MelConfig(
    sample_rate=8000, n_fft=2048, window_length=1024, hop_length=256, n_mels=96, spacing="log", fmin_hz=60
)
