"""Fast paths that need TensorFlow; imported only where Keras runs on TensorFlow."""
