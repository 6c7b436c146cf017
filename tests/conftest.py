"""What holds for all tests."""

from hypothesis import settings

# Examples are not timed one by one, since CI's machines are shared; pytest's own limit ends what hangs.
settings.register_profile("house", deadline=None)
settings.load_profile("house")
