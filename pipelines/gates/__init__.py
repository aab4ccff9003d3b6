"""Gates: the conditions that a model has to meet before it is pushed, with what was measured for each."""
