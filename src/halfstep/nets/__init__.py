"""Networks: (z_t, log_snr, Condition) -> prediction. They know nothing of audio or of the diffusion around them."""
