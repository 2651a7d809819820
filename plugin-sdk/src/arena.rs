//! The guest's allocator: an arena that never frees, because an instance dies after its one event.
