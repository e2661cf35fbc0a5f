"""What is modelled, given what: one file a task."""
