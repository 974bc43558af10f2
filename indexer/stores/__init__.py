"""Vector stores: the engines that find the nearest descriptors."""
