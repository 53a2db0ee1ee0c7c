"""What people look at: figures of data sets, slices and runs."""
