"""The command `syncd`: thin; every command asks a room of the house and prints what it says."""
