"""The program: modules and how imports find them."""
