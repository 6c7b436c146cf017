"""
What the operator wrote, checked whole: the only room that knows YAML, files and the environment.

What leaves this room is valid; a bad file changes nothing that is running.
"""
