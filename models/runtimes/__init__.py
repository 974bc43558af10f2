"""What runs a model: OpenVINO on CPUs, torch for training, export and GPUs."""
