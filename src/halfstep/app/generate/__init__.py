"""The commands generate and vocode."""
