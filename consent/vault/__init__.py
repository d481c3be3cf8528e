"""Keys, and what they seal. Importable by the gate, the register, rights and deployment alone.

One key-encryption key (versioned) wraps one random data key a customer; from it comes one key a use. So the border of
a permission is the border of a ciphertext, and losing the data key is erasure.
"""
