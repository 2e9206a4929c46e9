"""The emulated MindIE: a strict daemon, its images, and a small model that really computes.

Written from the documented behaviour of MindIE 1.0.0 and 3.0.0 and on purpose independent of the rest
of lingctl, so that it can judge what lingctl writes.
"""
