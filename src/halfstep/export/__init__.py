"""ONNX files, written and read back."""
