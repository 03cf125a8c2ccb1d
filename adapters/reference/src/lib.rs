//! How does `router-core` hear the question?
