"""
Fast failure detection between two hosts (BFD): asynchronous mode, one hop or several.

Codec, authentication and session without I/O, and the UDP sockets with the thread that keeps their time. BGP, nodes and
Services are unknown here: somebody else decides who is watched, and what his silence means.
"""
