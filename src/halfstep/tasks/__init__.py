"""What is modelled, given what: one folder a task."""
