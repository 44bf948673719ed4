"""The vocabulary: frozen records without I/O, imported from the module that holds them."""
