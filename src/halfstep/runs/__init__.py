"""What the commands train, distill and export do with a run folder."""
