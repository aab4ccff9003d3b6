"""REST API of TensorFlow Serving, for the embedded server."""
