//! Building the requests that a plugin returns.

use serde::Serialize;

use crate::{Rejection, Request};

impl Request {
    /// A request without a body to an endpoint of the manifest.
    pub fn new(endpoint: &str) -> Request {
        Request {
            endpoint: endpoint.into(),
            path: Vec::new(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// A request with a JSON body, and the header that says so.
    ///
    /// # Errors
    /// [`Rejection::Invalid`] when the body cannot be JSON, such as a map whose keys are no text.
    pub fn json<T: Serialize + ?Sized>(endpoint: &str, body: &T) -> Result<Request, Rejection> {
        let body = serde_json::to_vec(body).map_err(|e| Rejection::invalid(format!("the request's body: {e}")))?;
        let mut request = Request::new(endpoint).with_header("content-type", "application/json");
        request.body = body;
        Ok(request)
    }

    /// Gives a `{parameter}` of the endpoint's path.
    #[must_use]
    pub fn with_path(mut self, parameter: &str, value: impl Into<String>) -> Request {
        self.path.push((parameter.into(), value.into()));
        self
    }

    /// Adds a parameter to the query.
    #[must_use]
    pub fn with_query(mut self, name: &str, value: impl Into<String>) -> Request {
        self.query.push((name.into(), value.into()));
        self
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Request {
        self.headers.push((name.into(), value.into()));
        self
    }
}
