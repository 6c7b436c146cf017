"""A described population on a virtual clock, in front of the real controller: what `sluice simulate` runs."""
