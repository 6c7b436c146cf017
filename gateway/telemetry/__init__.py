"""
What the gateway says about itself. A name appears once in the whole repository, and nothing here
can make a worker wait.
"""
