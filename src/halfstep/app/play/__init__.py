"""The commands play and bench."""
