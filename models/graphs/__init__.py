"""ONNX graphs of other people: checked, given our input and output, written as a model folder.

No torch is needed, and nothing in a file is run but the operators that ONNX defines.
"""
