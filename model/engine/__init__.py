"""The engine: requests in, replies out, on one worker thread that owns the device.

`request` and `scheduler` are plain Python; `network`, `gpt2`, `causal_lm`, `sampler` and `runner` compute with torch;
`worker` is the thread. Import the modules themselves: this package imports nothing, so that the bot starts without torch.
"""
