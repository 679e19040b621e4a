"""What `python -m wavenet.compare` is made of.

`kinds.py` has the models, `inputs.py` what both sides are given, `tasks.py` what a side computes. It
runs in two processes: in the author's interpreter, started by `author.py`, with his code; and here,
by `ours.py`. `sides.py` starts both and exchanges .npz files with them, `verdicts.py` compares what
they have computed, `known.py` lists what is known to differ, and `report.py` shows it all.
"""
