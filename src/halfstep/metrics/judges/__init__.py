"""Networks that judge music: what they hear, and how they are asked. docs/decisions/0009-judges.md says whence they come."""
