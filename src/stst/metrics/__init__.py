"""Measures of clips: luminance, spectra, motion, arrangement, layers and prediction."""
