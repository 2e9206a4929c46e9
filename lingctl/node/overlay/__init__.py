"""The bailing_moe overlay in an atb_llm tree: what is there, put it in, prove it, take it out again."""

from lingctl.node.overlay.program import add_arguments, run

__all__ = ["add_arguments", "run"]
