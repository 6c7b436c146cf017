"""The store, one version to the next; package data, so that an installed wheel has it."""
