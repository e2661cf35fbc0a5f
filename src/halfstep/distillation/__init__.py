"""Progressive distillation: a ladder on which every rung halves the steps (Algorithm 1)."""
