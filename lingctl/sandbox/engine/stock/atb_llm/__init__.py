"""Stand-in of atb_llm: the part of its surface that a model folder meets, without torch."""
