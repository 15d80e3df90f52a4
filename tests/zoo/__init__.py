"""Public architectures with seeded random weights, to try conversions on models that nobody here wrote.

They come from timm, transformers and keras.applications: `pip install --group zoo`. Nothing is downloaded.
"""
