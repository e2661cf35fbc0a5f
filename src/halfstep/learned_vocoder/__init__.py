"""The vocoder that is learned: its networks, clips, losses and export."""
