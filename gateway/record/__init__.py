"""Facts: what happened, on its way from the worker that saw it to the store that keeps it. Nothing here decides."""
