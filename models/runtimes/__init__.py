"""The runtimes of models: OpenVINO on CPUs, torch for training, export and GPUs."""
