"""
The data plane: what stands between an app's request and a provider's answer.

Nothing here waits for disk, reads config, or decides weights. A request reads one RoutingTable and
keeps it to its end.
"""
