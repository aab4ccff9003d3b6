"""Options of the models, which need neither Keras nor TensorFlow; one module for each model."""
