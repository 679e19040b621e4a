"""`python -m wavenet.compare` runs the author's repository and this project side by side.

`inputs.py` prepares what both sides are given, and `tasks.py` is what each side computes, of a
model by `steps.py`. `author.py` runs it with the author's code, `ours.py` with ours, each in a
process of its own. `sides.py` starts these processes and exchanges .npz files with them.
`verdicts.py` compares their results by the rows of `rows.py`, and `report.py` and `page.py` show
them. `kinds.py` lists the models that can be compared, `differences.py` the known differences.

For WaveNet these are `compare_sound.py`, `sound_inputs.py`, `sound_tasks.py`, `author_wavenet.py`,
`ours_wavenet.py` and `sound_verdicts.py`.
"""
