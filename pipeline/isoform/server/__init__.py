"""An HTTP server for one model: requests become tensors, tensors of several clients one batch, answers their parts.

It runs inside the child that holds the model's runtime, so that a tensor is copied once, from the request's text, and a
crash of the runtime ends a child and not the command. Not aware of runtimes: it is given a function that computes.
"""
