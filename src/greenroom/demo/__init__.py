"""Demo: worlds of made-up people, a small one to look at and a large one to measure."""
