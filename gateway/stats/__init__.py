"""
Statistics, and nothing else: no function here knows what was counted.

None means "not enough data", never zero. What a trip needs is standard library; numpy and scipy are imported
inside the functions that need them, and workers import nothing of this room.
"""
