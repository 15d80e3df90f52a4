"""A float graph as one that computes in eight-bit integers: what can, with which scales, and which layers should not.

`prepared` brings a graph into the form that is quantised, `calibration` sees what its activations hold, `static` puts
the integers in; `dynamic` does without samples. `search` finds the few layers to keep in float, `arithmetic` says how
much is really of integers. `stored` and `substituted` are what gates 1 and 2 ask.
"""
