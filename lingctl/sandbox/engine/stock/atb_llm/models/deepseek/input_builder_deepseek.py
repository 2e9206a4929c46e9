"""Prompts of DeepSeek models that bring no chat template."""

from __future__ import annotations

from ..base.input_builder import InputBuilder


class DeepseekInputBuilder(InputBuilder):
    """The stock builder; the fallback template is not emulated."""
