"""A stand-in for the vendor's APIs v1 and v2 on a local port.

It imports nothing of ours, so that one mistake cannot hide on both sides.
"""
