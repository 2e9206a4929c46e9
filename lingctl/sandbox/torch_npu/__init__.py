"""torch and torch_npu of the emulated MindIE images: what a product on a card and a sum over all cards need.

The images hold packages ``torch`` and ``torch_npu`` that take everything from here (``sandbox.torch_files``).
What is not here is not there: asking for it fails, as a missing module does.
"""
