"""What a data set is: labels, slice table, folds, draws, augmentation, batches and metrics."""
