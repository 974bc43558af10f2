"""Weight files of other projects: recognise one, read it, and write it as a model folder.

Nothing in a file is ever run: checkpoints are read by torch's restricted unpickler.
"""
