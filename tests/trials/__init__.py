"""How often `isoform bench --baseline` is right: a model against itself, and against one that is 5 % slower."""
