"""Photos of strangers are decoded here: in processes with limits on time and memory."""
