"""
Pages of the operators' port: rendered here, from what `Operations` tells, and asking no other host for anything.

Everything on them works without scripts but what moves: a script replaces the parts marked `data-live` by newer ones.
"""
