"""
Which unit gets which arm: pure functions from a salt, a key and a release to an answer.

The same inputs give the same answer on every machine and in every version: what is hashed, how, and
who owns which bucket is pinned by vectors in tests/assign.
"""
