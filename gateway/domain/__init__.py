"""
The nouns: frozen values that every room may hold, from the standard library only.

Nothing here decides, reads or sends. What crosses from the control process to a worker is made of
these and of nothing else.
"""
