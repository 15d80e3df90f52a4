"""TensorFlow as a source: anything that can be called with tensors becomes the hub graph.

`function` is the one way in; Keras networks and SavedModels are traced as such functions. Weights never enter the graph
that is converted: they are its inputs there, and views of TensorFlow's own memory afterwards.
"""
