"""The rules. Each module that defines `RULE` is one rule; its docstring is the rule's documentation."""
