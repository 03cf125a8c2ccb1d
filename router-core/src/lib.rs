//! Which deployments may serve this request?
