"""Noise to music, block by block, with numpy and onnxruntime alone."""
