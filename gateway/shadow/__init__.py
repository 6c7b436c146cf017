"""
Shadows: copies of requests sent where nobody sees the answer, the pairs they make, and who judges them.

Nothing here can slow, change or fail an answer.
"""
