//! The door with all its real parts behind a real listener.
