"""The commands prepare, train, distill and export."""
