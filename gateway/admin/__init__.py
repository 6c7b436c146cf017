"""The operators' port: what a person or a script may ask and change while the gateway runs."""
