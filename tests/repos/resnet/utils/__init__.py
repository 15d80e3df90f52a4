"""What the networks of this repository are made of."""
