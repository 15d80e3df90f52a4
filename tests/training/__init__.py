"""What the tests of training in both frameworks share: small networks, a training in numpy, and the checks."""
