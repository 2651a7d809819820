//! Asks the server what an acknowledgement means, and compares it with what is wanted.
