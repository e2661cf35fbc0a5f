"""The commands models, verify and doctor: what is here, and whether it is whole."""
