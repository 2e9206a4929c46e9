"""The answer proof: BailingMoE in float32 on the processor, straight from the safetensors, layer by layer.

Written from the published modelling code alone; it shares nothing with the overlay or with what tests it.
"""
