"""A local Drop Cowboy: the vendor's APIs v1 and v2 on a port of this machine.

It imports nothing of ours, so that one mistake cannot hide on both sides.
"""
