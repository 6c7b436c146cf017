"""
The wire: what requests, answers and streams look like as bytes, and how they are changed.

Pure: every function works on any split of the bytes, and what nobody asked to change stays as it
came, byte for byte.
"""
