"""Files and command lines of a stranger: made by code, from fixed seeds, and tried one by one.

`python -m hostile` in `tests/` tries them all and prints what came of it; `test_hostile.py` is the
same as a test.
"""
