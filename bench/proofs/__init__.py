"""
The long simulations behind docs/statistics.md: `python -m bench.proofs`.

They simulate the rules as the design words them, vectorised, with fixed seeds. That the vectorised model is the same
process as `gateway.stats.eprocess` is a test (tests/bench/test_failures.py).
"""
