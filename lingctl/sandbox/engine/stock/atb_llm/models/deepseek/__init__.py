"""The stock DeepSeek-MoE model, as far as an overlay meets it."""
