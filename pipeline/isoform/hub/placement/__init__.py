"""Where a runtime put the operators of a file: one file a runtime, asked in a session of its own, apart from timing."""
