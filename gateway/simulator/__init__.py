"""The simulated provider and the simulated population: fakes that are product, seeded and documented."""
