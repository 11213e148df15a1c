"""What a backend is: capabilities, calls and their ends, the two kinds, hooks and registry."""
