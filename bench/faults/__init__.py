"""The long fault programme, with the rig of tests/flows at its full size."""
