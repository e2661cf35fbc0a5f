"""Work on the machines of a Ray cluster: the same functions as on one machine, and the same bytes."""
