"""From bare Ascend servers to a tested MindIE service for the Ling models."""

__version__ = "0.1.0"
