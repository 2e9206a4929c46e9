"""The HTTP interface of the emulated service: the wire, the routes, the dialects and their answers.

Source throughout: MindIE-LLM v3.0.0 src/server/endpoint, and the answers of the real 3.0.0 server on a CPU.
For 1.0.0, whose server is closed, the same is assumed (documents only).
"""
