"""examples/quickstart.ipynb runs from top to bottom in a real kernel."""
import base64
import os
import shutil

import numpy as np
import pytest

from helpers import ROOT

nbformat = pytest.importorskip('nbformat')
nbclient = pytest.importorskip('nbclient')


@pytest.mark.slow
def test_the_notebook_runs(tmp_path, monkeypatch):
    # It runs ../train.py, and writes into out/ beside it
    folder = tmp_path / 'examples'
    shutil.copytree(os.path.join(ROOT, 'examples'), folder, ignore=shutil.ignore_patterns('out'))
    for name in ('train.py', 'generate.py'):
        shutil.copy(os.path.join(ROOT, name), tmp_path)
    monkeypatch.setenv('PYTHONPATH', ROOT)
    notebook = nbformat.read(str(folder / 'quickstart.ipynb'), as_version=4)
    setting = [cell for cell in notebook.cells if cell.source.startswith('SECONDS = ')]
    setting[0].source = 'SECONDS = 3'
    nbclient.NotebookClient(notebook, timeout=300, kernel_name='python3',
                            resources={'metadata': {'path': str(folder)}}).execute()

    outputs = [output for cell in notebook.cells if cell.cell_type == 'code'
               for output in cell.outputs]
    text = ''.join(output.text for output in outputs if output.output_type == 'stream')
    assert 'Traceback' not in text and 'error' not in text
    shown = [output for output in outputs if 'image/png' in output.get('data', {})]
    assert len(shown) == 5
    assert all(len(base64.b64decode(output.data['image/png'])) > 1000 for output in shown)
    for path in ('notebook/model.npz', 'notebook-run/model.npz', 'threes.png'):
        assert (folder / 'out' / path).exists()
    with np.load(folder / 'out/notebook/model.npz') as npz:
        assert 'conv1/W' in npz.files
