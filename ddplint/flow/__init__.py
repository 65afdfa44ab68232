"""Abstract interpretation of the program: values, their tags, and the events that rules read."""
