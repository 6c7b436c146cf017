"""
The processes of `sluice serve`: a parent that owns the sockets, workers, one control process.

The parent decides nothing about traffic. It hands sockets down, keeps posts staffed, and passes
frames between the others; so it is small, and the last to die.
"""
