"""
The YAML's shape: one pydantic model per section, and no knowledge of what the names in it refer to.

A model says which keys there are, which values each takes and what an editor shows beside it.
Whether names exist, files can be read and weights add up is for `gateway.settings.compile`.
"""
