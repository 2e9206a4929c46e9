"""One small file per verb: options in, one flow called, the result printed."""
