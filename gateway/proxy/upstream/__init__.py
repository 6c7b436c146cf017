"""
Connections to providers: one pool each, on asyncio Protocols and llhttp.

A request is sent twice only when nothing of it was sent the first time, or when its provider said by
status that it did no work and the file allows asking again. No redirect is followed. A connection
goes back to its pool only after a whole answer, with nothing left over on either side.
"""
