"""Recordings -> mels on disk -> windows to train on."""
