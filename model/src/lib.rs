//! Was that answer allowed?
