"""From a trained model to served predictions: signatures, export, warm-up, client and embedded server."""
