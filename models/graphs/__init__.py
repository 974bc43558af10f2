"""Other people's ONNX graphs: checked, fitted to a model's input and output, written as a model.

No torch is needed, and only the operators that ONNX defines are run.
"""
