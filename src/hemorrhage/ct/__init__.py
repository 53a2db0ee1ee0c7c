"""What a slice is: its file, its Hounsfield units, its windows, its one-byte code, and heads made from anatomy."""
