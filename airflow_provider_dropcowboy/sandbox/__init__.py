"""A stand-in for the vendor's API v1 on a local port.

It imports nothing of ours, so that one mistake cannot hide on both sides.
"""
