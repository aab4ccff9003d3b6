"""Join of the logs of impressions, clicks and conversions to a log of labelled impressions."""
