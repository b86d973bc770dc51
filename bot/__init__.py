"""catbot's Discord side. Knows Discord and the service face of `model`; never imports torch or transformers."""
