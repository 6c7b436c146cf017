"""What the gateway costs, next to nginx in the same run: `python -m bench --help`."""
