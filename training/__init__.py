"""Makes checkpoints for `model`: corpus, tokenizer, training, evaluation, export. Never imports `bot`."""
