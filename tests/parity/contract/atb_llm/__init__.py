"""The part of atb_llm that the overlay touches, written anew from its observable behaviour.

Names, signatures, tensor names, weight order and graph parameters are those of MindIE 3.0.0; none of its
text is here. Without ``ProcessGroupType`` and ``switch_process_group`` it has the surface of 1.0.0.
"""
