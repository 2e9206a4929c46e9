"""Folding the normalisation of the head (norm_head) into lm_head, for engines that leave it out."""
